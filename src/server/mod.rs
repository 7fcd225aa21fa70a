//! HTTP/1.1, with TLS or without: listeners, connections, and the routes on them.

mod admin;
mod body;
mod connection_metrics;
mod connections;
mod descriptors;
mod listener;
mod open_connections;
mod request_timeout;
mod room;
mod webhook;

pub use admin::admin_router;
pub use connection_metrics::ConnectionMetrics;
pub use connections::{ListenerOptions, accept};
pub use descriptors::{connections_of_each, raise_descriptor_limit};
pub use listener::{BindError, bind};
pub use webhook::webhook_router;
