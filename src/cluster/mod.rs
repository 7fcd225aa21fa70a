//! Talks to the API server in the background: no review waits for it.

mod client;
mod events;
mod hook_choice;
mod token;
mod version;

pub use client::{ClientError, in_cluster_client};
pub use events::{EventQueue, EventSender, event_queue};
pub use hook_choice::{HookChoiceError, choose_hook, follow_hook};
