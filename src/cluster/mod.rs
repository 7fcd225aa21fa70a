//! Talks to the API server in the background: no review waits for it.

mod connect;
mod events;
mod hook_choice;
mod version;
mod watch;

pub use connect::{ConnectError, connect};
pub use events::{EventQueue, EventSender, event_queue};
pub use hook_choice::{HookChoiceError, choose_hook, follow_hook};
pub use watch::{Follower, Index, retry_delays};
