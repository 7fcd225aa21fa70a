//! The log: one line per event, on stderr.

use std::{fmt, str::FromStr, sync::Arc};

use clap::ValueEnum;
use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::stderr::NonBlockingStderr;

/// The format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What to log: a level, or directives such as `info,apisix_prestop=debug`.
#[derive(Clone, Debug)]
pub struct LogFilter(Targets);

/// The text is not a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a level (off, error, warn, info, debug, trace) or TARGET=LEVEL, separated by commas"
)]
pub struct ParseLogFilterError;

impl FromStr for LogFilter {
    type Err = ParseLogFilterError;

    fn from_str(directives: &str) -> Result<Self, Self::Err> {
        // A word alone also parses as a target: a mistyped level would turn the log off.
        let words = directives.split(',').filter(|directive| !directive.contains('='));
        for level in words {
            // An empty word means `error`.
            let level = Some(level).filter(|level| !level.is_empty()).ok_or(ParseLogFilterError)?;
            level.parse::<LevelFilter>().map_err(|_| ParseLogFilterError)?;
        }
        directives.parse().map(Self).map_err(|_| ParseLogFilterError)
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// kube's client logs here, in full, each response of the API server that it cannot decode. That
/// may be the Secret with the private keys.
const UNDECODABLE_RESPONSES: &str = "kube_client::client";
/// kube's watcher logs every refused attempt here. Followers log a failure once.
const WATCH_ATTEMPTS: &str = "kube_runtime::watcher";

/// Starts the log of the process, and returns the counter of lines that nobody read in time. Later
/// calls have no effect.
pub fn start_log(format: LogFormat, filter: &LogFilter) -> Counter {
    let dropped = Counter::default();
    let filter = filter
        .0
        .clone()
        .with_target(UNDECODABLE_RESPONSES, LevelFilter::OFF)
        .with_target(WATCH_ATTEMPTS, LevelFilter::OFF);
    let stderr = Arc::new(NonBlockingStderr::new(dropped.clone()));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_target(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    // Fails only if a log was started before.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    dropped
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::level("debug", true)]
    #[case::off("off", true)]
    #[case::target("info,apisix_prestop=debug", true)]
    #[case::typo("inof", false)]
    #[case::empty("", false)]
    #[case::typo_of_a_target_level("apisix_prestop=debgu", false)]
    #[case::two_equals("a=b=c", false)]
    fn a_mistyped_level_is_refused(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<LogFilter>().is_ok(), good, "{text:?}");
    }
}
