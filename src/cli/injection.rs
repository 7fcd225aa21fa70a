//! The flags that describe what to inject.

use clap::{ArgAction, Args, ValueEnum};

use crate::{
    constants::{DEFAULT_DELAY, DEFAULT_MAX_DELAY, DEFAULT_SHUTDOWN_RESERVE},
    injection::{GracePolicy, Hook, Policy, Targets},
    units::{Delay, ShutdownReserve},
};

/// What to inject.
#[derive(Debug, Args)]
pub struct InjectionArgs {
    /// How long each container sleeps before SIGTERM, unless its Pod asks for another delay: 0 to
    /// 3600 seconds, and no more than --max-delay
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DELAY", default_value_t = Delay::clamped(DEFAULT_DELAY))]
    pub delay: Delay,
    /// The longest delay that a Pod may ask for: 0 to 3600 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_MAX_DELAY", default_value_t = Delay::clamped(DEFAULT_MAX_DELAY))]
    pub max_delay: Delay,
    /// How much of its grace period a Pod keeps for its own shutdown after the sleep: 0 to 3600
    /// seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_SHUTDOWN_RESERVE", default_value_t = ShutdownReserve::clamped(DEFAULT_SHUTDOWN_RESERVE))]
    pub shutdown_reserve: ShutdownReserve,
    /// How to adjust terminationGracePeriodSeconds
    #[arg(long, value_name = "POLICY", env = "APISIX_PRESTOP_GRACE", value_enum, default_value_t)]
    pub grace: GracePolicy,
    /// How to write the sleep
    #[arg(long, value_name = "HOOK", env = "APISIX_PRESTOP_HOOK", value_enum, default_value_t)]
    pub hook: HookMode,
    /// Whether to inject the Pods of Jobs too
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_INJECT_JOBS", default_value_t, action = ArgAction::Set)]
    pub inject_jobs: bool,
}

/// The default delay is longer than any Pod may ask for.
#[derive(Debug, thiserror::Error)]
#[error("--delay {delay} is above --max-delay {max_delay}")]
pub struct DelayAboveMaximum {
    delay: Delay,
    max_delay: Delay,
}

impl InjectionArgs {
    /// The policy that the flags describe. `auto` is the hook that `--hook auto` stands for.
    ///
    /// # Errors
    /// When the flags contradict each other.
    pub fn policy(&self, auto: Hook) -> Result<Policy, DelayAboveMaximum> {
        let Self { delay, max_delay, shutdown_reserve, grace, hook, inject_jobs } = *self;
        if delay > max_delay {
            return Err(DelayAboveMaximum { delay, max_delay });
        }
        let hook = hook.fixed().unwrap_or(auto);
        let (jobs, targets) = (inject_jobs, Targets::All);
        Ok(Policy { delay, max_delay, shutdown_reserve, hook, grace, jobs, targets })
    }
}

/// How to write the sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HookMode {
    /// `sleep` if the API server and every kubelet support it, otherwise `exec`; checked at start
    /// and every 5 minutes
    #[default]
    Auto,
    /// `lifecycle.preStop.sleep`: works in any image, from Kubernetes 1.30 on
    Sleep,
    /// `/bin/sh -c "sleep N"`: works in any Kubernetes, in images that have a shell
    Exec,
}

impl HookMode {
    /// The hook, unless it depends on the cluster.
    pub const fn fixed(self) -> Option<Hook> {
        match self {
            Self::Auto => None,
            Self::Sleep => Some(Hook::Sleep),
            Self::Exec => Some(Hook::Exec),
        }
    }
}
