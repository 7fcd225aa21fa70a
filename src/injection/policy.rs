//! The policy for all Pods.

use clap::ValueEnum;

use super::hook::Hook;
use crate::{
    constants::{DEFAULT_DELAY, DEFAULT_MAX_DELAY, DEFAULT_SHUTDOWN_RESERVE},
    units::{Delay, ShutdownReserve},
};

/// What applies to a Pod without annotations of its own, and how far those may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long each container sleeps before it gets SIGTERM.
    pub delay: Delay,
    /// The longest delay that a Pod may ask for.
    pub max_delay: Delay,
    /// How much of its grace period the Pod keeps for its own shutdown after the sleep.
    pub shutdown_reserve: ShutdownReserve,
    /// How to write the sleep.
    pub hook: Hook,
    /// How to adjust the grace period.
    pub grace: GracePolicy,
    /// Whether the Pods of Jobs get the sleep too.
    pub jobs: bool,
}

impl Default for Policy {
    /// The defaults, on a cluster that supports the native sleep.
    fn default() -> Self {
        Self {
            delay: Delay::clamped(DEFAULT_DELAY),
            max_delay: Delay::clamped(DEFAULT_MAX_DELAY),
            shutdown_reserve: ShutdownReserve::clamped(DEFAULT_SHUTDOWN_RESERVE),
            hook: Hook::Sleep,
            grace: GracePolicy::Raise,
            jobs: false,
        }
    }
}

/// How to adjust `terminationGracePeriodSeconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GracePolicy {
    /// Raise it to the longest sleep plus the reserve, where it is shorter
    #[default]
    Raise,
    /// Extend it by the sleep in any case: the application keeps all the time that it had
    Extend,
    /// Never change it: cut a sleep that does not fit
    Never,
}
