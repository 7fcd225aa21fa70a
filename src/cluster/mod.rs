//! What is read from the API server. Never in the path of a request.

mod hook_choice;
mod version;

pub use hook_choice::{HookChoiceError, choose_hook, follow_hook};
