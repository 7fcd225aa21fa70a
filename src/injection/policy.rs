//! What the operator of the webhook has decided for all Pods.

use super::hook::Hook;
use crate::seconds::{Delay, ShutdownReserve};

/// What holds for a Pod that says nothing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long each container sleeps before it gets SIGTERM.
    pub delay: Delay,
    /// What the Pod keeps of its grace period for its own shutdown after the sleep.
    pub shutdown_reserve: ShutdownReserve,
    /// How the sleep is written.
    pub hook: Hook,
}
