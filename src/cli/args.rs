//! The flags. Each has an environment variable, and each value is checked before anything runs.

use std::net::SocketAddr;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::{
    inject::{InjectArgs, ManifestArgs},
    tls::TlsArgs,
};
use crate::{
    constants::{
        DEFAULT_ADMIN_LISTEN, DEFAULT_DELAY, DEFAULT_DRAIN_DELAY, DEFAULT_DRAIN_TIMEOUT,
        DEFAULT_LISTEN, DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_DELAY, DEFAULT_SHUTDOWN_RESERVE,
    },
    injection::{GracePolicy, Hook, Policy},
    seconds::{Delay, DrainTime, ShutdownReserve},
    server::Mode,
    telemetry::{LogFilter, LogFormat},
};

/// Gives Pods behind Apache APISIX the time to leave its routes before they stop.
#[derive(Debug, Parser)]
#[command(name = "apisix-prestop", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the admission webhook.
    Serve(Box<ServeArgs>),
    /// Do to manifests what the webhook does to Pods. Writes to stdout, and a report to stderr.
    Inject(InjectArgs),
    /// Take out of manifests what `inject` or the webhook has put in, and nothing else.
    Uninject(ManifestArgs),
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// What is injected.
    #[command(flatten, next_help_heading = "Injection")]
    pub injection: InjectionArgs,
    /// Whether Pods are changed, or only looked at
    #[arg(long, value_name = "MODE", env = "APISIX_PRESTOP_MODE", value_enum, default_value_t)]
    pub mode: Mode,
    /// Whether a warning about a Pod is also an Event on the object that controls it
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_EVENTS", default_value_t = true, action = ArgAction::Set)]
    pub events: bool,
    /// Where to listen.
    #[command(flatten, next_help_heading = "Listeners")]
    pub listeners: ListenerArgs,
    /// Where the certificate comes from.
    #[command(flatten, next_help_heading = "TLS")]
    pub tls: TlsArgs,
    /// How to stop.
    #[command(flatten, next_help_heading = "Shutdown")]
    pub shutdown: ShutdownArgs,
    /// What to log.
    #[command(flatten, next_help_heading = "Log")]
    pub log: LogArgs,
}

/// What is injected.
#[derive(Debug, Args)]
pub struct InjectionArgs {
    /// How long each container sleeps before it gets SIGTERM, where its Pod says nothing itself:
    /// 0 to 3600 seconds, and no more than --max-delay
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DELAY", default_value_t = Delay::clamped(DEFAULT_DELAY))]
    pub delay: Delay,
    /// The longest delay that a Pod may ask for: 0 to 3600 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_MAX_DELAY", default_value_t = Delay::clamped(DEFAULT_MAX_DELAY))]
    pub max_delay: Delay,
    /// What a Pod keeps of its grace period for its own shutdown after the sleep: 0 to 3600
    /// seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_SHUTDOWN_RESERVE", default_value_t = ShutdownReserve::clamped(DEFAULT_SHUTDOWN_RESERVE))]
    pub shutdown_reserve: ShutdownReserve,
    /// What becomes of the grace period
    #[arg(long, value_name = "POLICY", env = "APISIX_PRESTOP_GRACE", value_enum, default_value_t)]
    pub grace: GraceMode,
    /// How the sleep is written
    #[arg(long, value_name = "HOOK", env = "APISIX_PRESTOP_HOOK", value_enum, default_value_t)]
    pub hook: HookMode,
    /// Whether the Pods of Jobs get the sleep too
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_INJECT_JOBS", default_value_t, action = ArgAction::Set)]
    pub inject_jobs: bool,
}

/// The delay for all Pods is longer than any Pod may ask for.
#[derive(Debug, thiserror::Error)]
#[error("--delay {delay} is above --max-delay {max_delay}")]
pub struct DelayAboveMaximum {
    delay: Delay,
    max_delay: Delay,
}

impl InjectionArgs {
    /// The policy that the flags come to, with the hook that `--hook auto` stands for.
    ///
    /// # Errors
    /// When the flags contradict each other.
    pub fn policy(&self, auto: Hook) -> Result<Policy, DelayAboveMaximum> {
        let Self { delay, max_delay, shutdown_reserve, grace, hook, inject_jobs } = *self;
        if delay > max_delay {
            return Err(DelayAboveMaximum { delay, max_delay });
        }
        let hook = hook.fixed().unwrap_or(auto);
        let grace = match grace {
            GraceMode::Raise => GracePolicy::Raise,
            GraceMode::Extend => GracePolicy::Extend,
            GraceMode::Never => GracePolicy::Never,
        };
        Ok(Policy { delay, max_delay, shutdown_reserve, hook, grace, jobs: inject_jobs })
    }
}

/// What becomes of `terminationGracePeriodSeconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GraceMode {
    /// Raised to the longest sleep and the reserve, where it is shorter
    #[default]
    Raise,
    /// Extended by the sleep in any case: the application keeps all the time that it had
    Extend,
    /// Never changed: a sleep that does not fit is cut
    Never,
}

/// How the sleep is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HookMode {
    /// `sleep` if the API server and every kubelet know it, otherwise `exec`; asked for at start
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

/// Where to listen.
#[derive(Debug, Args)]
pub struct ListenerArgs {
    /// Where the webhook listens (TLS)
    #[arg(long, value_name = "ADDRESS", env = "APISIX_PRESTOP_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Where /live, /ready and /metrics are served (plain HTTP)
    #[arg(long, value_name = "ADDRESS", env = "APISIX_PRESTOP_ADMIN_LISTEN", default_value = DEFAULT_ADMIN_LISTEN)]
    pub admin_listen: SocketAddr,
    /// How many connections each listener keeps open: 1 to 65536. Beyond that, the oldest that has
    /// not sent a request yet makes room
    #[arg(long, value_name = "NUMBER", env = "APISIX_PRESTOP_MAX_CONNECTIONS", default_value_t = DEFAULT_MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_connections: u32,
}

/// How to stop.
#[derive(Debug, Args)]
pub struct ShutdownArgs {
    /// How long to go on accepting connections after SIGTERM, while the API servers learn that
    /// this replica leaves: 0 to 300 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DRAIN_DELAY", default_value_t = DrainTime::clamped(DEFAULT_DRAIN_DELAY))]
    pub drain_delay: DrainTime,
    /// How long the connections that are then open may take to finish: 0 to 300 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DRAIN_TIMEOUT", default_value_t = DrainTime::clamped(DEFAULT_DRAIN_TIMEOUT))]
    pub drain_timeout: DrainTime,
}

/// What to log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Which lines to log: a level (error, warn, info, debug, trace), or directives such as
    /// info,apisix_prestop=debug
    #[arg(long, value_name = "FILTER", env = "APISIX_PRESTOP_LOG", default_value = "info")]
    pub log: LogFilter,
    /// How a line looks
    #[arg(
        long,
        value_name = "FORMAT",
        env = "APISIX_PRESTOP_LOG_FORMAT",
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,
}
