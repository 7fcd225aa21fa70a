//! The policy for all Pods.

use clap::ValueEnum;

use super::hook::Hook;
use crate::{
    constants::{DEFAULT_DELAY, DEFAULT_MAX_DELAY, DEFAULT_SHUTDOWN_RESERVE},
    units::{Delay, ShutdownReserve},
    upstreams::Target,
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
    /// Which Pods get the sleep, by what sends requests to them.
    pub targets: Targets,
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
            targets: Targets::All,
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

/// Which Pods get the sleep, by what sends requests to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Targets {
    /// All: a needless sleep is cheaper than a lost request
    #[default]
    All,
    /// Those that a Service selects
    Services,
    /// Those that a Service selects which a route of APISIX names
    Upstreams,
}

impl Targets {
    /// Whether a Pod is one of them. What is not known counts.
    pub(super) const fn include(self, target: &Target) -> bool {
        match (self, target) {
            (Self::All, _) | (_, Target::Unknown | Target::Upstream { .. }) => true,
            (Self::Services, Target::Service { .. }) => true,
            (Self::Services, Target::NoService) | (Self::Upstreams, _) => false,
        }
    }
}
