//! What is asked of the API server and told to it. Never in the path of a request.

mod client;
mod events;
mod hook_choice;
mod token;
mod version;

pub use client::{ClientError, in_cluster_client};
pub use events::{EventQueue, EventSender, event_queue};
pub use hook_choice::{HookChoiceError, choose_hook, follow_hook};
