//! The flags of `serve`. Each has an environment variable.

use std::net::SocketAddr;

use clap::{ArgAction, Args};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;

use super::super::{controller::ControllerArgs, injection::InjectionArgs, tls::TlsArgs};
use super::measure_args::ServeMeasureArgs;
use crate::{
    admission::Mode,
    constants::{
        DEFAULT_ADMIN_LISTEN, DEFAULT_DRAIN_DELAY, DEFAULT_DRAIN_TIMEOUT, DEFAULT_LISTEN,
        DEFAULT_MAX_CONNECTIONS,
    },
    injection::Targets,
    telemetry::{LogFilter, LogFormat},
    units::DrainTime,
};

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// What to inject.
    #[command(flatten, next_help_heading = "Injection")]
    pub injection: InjectionArgs,
    /// Whether to change Pods, or only to observe
    #[arg(long, value_name = "MODE", env = "APISIX_PRESTOP_MODE", value_enum, default_value_t)]
    pub mode: Mode,
    /// Whether to record each warning about a Pod as an Event on the Pod's controller
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_EVENTS", default_value_t = true, action = ArgAction::Set)]
    pub events: bool,
    /// Which namespaces the MutatingWebhookConfiguration selects, as a LabelSelector in JSON. Events and
    /// metrics of running Pods are about these only. Without this flag: all that have opted in, but
    /// kube-system
    #[arg(long, value_name = "JSON", env = "APISIX_PRESTOP_NAMESPACE_SELECTOR", value_parser = namespace_selector)]
    pub namespace_selector: Option<String>,
    /// Which Pods are targets.
    #[command(flatten, next_help_heading = "Targets")]
    pub targets: TargetArgs,
    /// Whether to measure, and whether the delay follows.
    #[command(flatten, next_help_heading = "Measurement")]
    pub measure: ServeMeasureArgs,
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

/// The selector as the API server takes it in a request.
fn namespace_selector(text: &str) -> Result<String, String> {
    let expected =
        r#"expected a LabelSelector in JSON, such as {"matchLabels":{"stage":"canary"}}"#;
    let selector: LabelSelector =
        serde_json::from_str(text).map_err(|error| format!("{expected}: {error}"))?;
    let selector = Selector::try_from(selector).map_err(|error| format!("{expected}: {error}"))?;
    if selector.selects_all() { Err(expected.to_owned()) } else { Ok(selector.to_string()) }
}

/// Which Pods are targets.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Which Pods get the sleep, by what sends requests to them. While not enough is known of Services
    /// and routes, all do
    #[arg(
        long,
        value_name = "TARGETS",
        env = "APISIX_PRESTOP_TARGETS",
        value_enum,
        default_value_t
    )]
    pub targets: Targets,
    /// Whether to watch Services and the routes of APISIX, so that each decision says what sends
    /// requests to the Pod
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_UPSTREAMS", default_value_t = true, action = ArgAction::Set)]
    pub upstreams: bool,
    /// The Lease of the replicas, in the namespace of the ServiceAccount: its holder watches Pods, and
    /// reports those to which APISIX sends requests although they have no sleep. Without this flag,
    /// this replica does
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_LEASE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub lease: Option<String>,
    /// The ingress controller of APISIX.
    #[command(flatten)]
    pub controller: ControllerArgs,
}

/// `--targets` asks for what nothing watches.
#[derive(Debug, thiserror::Error)]
#[error("--targets {0} needs --upstreams true")]
pub struct TargetsNotWatched(&'static str);

impl TargetArgs {
    /// Checks that what `--targets` asks for is watched.
    ///
    /// # Errors
    /// When the flags contradict each other.
    pub fn check(&self) -> Result<(), TargetsNotWatched> {
        match self.targets {
            _ if self.upstreams => Ok(()),
            Targets::All => Ok(()),
            Targets::Services => Err(TargetsNotWatched("services")),
            Targets::Upstreams => Err(TargetsNotWatched("upstreams")),
        }
    }
}

/// Where to listen.
#[derive(Debug, Args)]
pub struct ListenerArgs {
    /// The address of the webhook (TLS)
    #[arg(long, value_name = "ADDRESS", env = "APISIX_PRESTOP_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// The address of /live, /ready and /metrics (plain HTTP)
    #[arg(long, value_name = "ADDRESS", env = "APISIX_PRESTOP_ADMIN_LISTEN", default_value = DEFAULT_ADMIN_LISTEN)]
    pub admin_listen: SocketAddr,
    /// How many connections each listener keeps open: 1 to 65536. Above that, the client address
    /// with the most loses one
    #[arg(long, value_name = "NUMBER", env = "APISIX_PRESTOP_MAX_CONNECTIONS", default_value_t = DEFAULT_MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_connections: u32,
}

/// How to stop.
#[derive(Debug, Args)]
pub struct ShutdownArgs {
    /// How long to accept connections after SIGTERM, while the API servers learn that this replica
    /// stops: 0 to 300 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DRAIN_DELAY", default_value_t = DrainTime::clamped(DEFAULT_DRAIN_DELAY))]
    pub drain_delay: DrainTime,
    /// How long open connections may then take to finish: 0 to 300 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_DRAIN_TIMEOUT", default_value_t = DrainTime::clamped(DEFAULT_DRAIN_TIMEOUT))]
    pub drain_timeout: DrainTime,
}

/// What to log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or directives such as
    /// info,apisix_prestop=debug
    #[arg(long, value_name = "FILTER", env = "APISIX_PRESTOP_LOG", default_value = "info")]
    pub log: LogFilter,
    /// The format of the log
    #[arg(
        long,
        value_name = "FORMAT",
        env = "APISIX_PRESTOP_LOG_FORMAT",
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,
}
