//! The flags. Each has an environment variable, and each value is checked before anything runs.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    constants::{
        DEFAULT_ADMIN_LISTEN, DEFAULT_DELAY, DEFAULT_DRAIN_DELAY, DEFAULT_DRAIN_TIMEOUT,
        DEFAULT_LISTEN, DEFAULT_SHUTDOWN_RESERVE,
    },
    injection::Hook,
    seconds::{Delay, DrainTime, ShutdownReserve},
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
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// What is injected.
    #[command(flatten, next_help_heading = "Injection")]
    pub injection: InjectionArgs,
    /// Where to listen.
    #[command(flatten, next_help_heading = "Listeners")]
    pub listeners: ListenerArgs,
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
    /// 0 to 300 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DELAY", default_value_t = Delay::clamped(DEFAULT_DELAY))]
    pub delay: Delay,
    /// What a Pod keeps of its grace period for its own shutdown after the sleep: 0 to 3600
    /// seconds. The grace period is raised to delay + reserve where it is shorter
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_SHUTDOWN_RESERVE", default_value_t = ShutdownReserve::clamped(DEFAULT_SHUTDOWN_RESERVE))]
    pub shutdown_reserve: ShutdownReserve,
    /// How the sleep is written
    #[arg(
        long,
        value_name = "HOOK",
        env = "APISIX_PRESTOP_HOOK",
        value_enum,
        default_value_t
    )]
    pub hook: HookMode,
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
    /// The certificate chain, in PEM form; read again when it changes. Without it a throw-away
    /// certificate is made in memory
    #[arg(
        long,
        value_name = "FILE",
        env = "APISIX_PRESTOP_TLS_CERT",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM form; read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "APISIX_PRESTOP_TLS_KEY",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
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
    #[arg(
        long,
        value_name = "FILTER",
        env = "APISIX_PRESTOP_LOG",
        default_value = "info"
    )]
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
