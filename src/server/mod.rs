//! HTTP/1.1, with TLS or without: listeners, connections, and the routes on them.

mod admin;
mod body;
mod connections;
mod descriptors;
mod listener;
mod pending_connections;
mod request_timeout;
mod webhook;

pub use admin::admin_router;
pub use connections::{ListenerOptions, accept};
pub use descriptors::raise_descriptor_limit;
pub use listener::{BindError, bind};
pub use webhook::webhook_router;
