//! Why `measure` failed.

use std::{io, path::PathBuf};

/// Why `measure` failed.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The file of `--plot` cannot be written, which was found before the measurement.
    #[error("--plot: cannot write {file}: {0}", file = .1.display())]
    PlotFile(#[source] io::Error, PathBuf),
    /// There is no gateway.
    #[error(
        "no Pod of {} has the labels {selector}: --gateway-namespace and --gateway-selector say where APISIX runs",
        .namespace.as_ref().map_or("any namespace".to_owned(), |name| format!("the namespace {name}"))
    )]
    NoGateway {
        /// The namespace that was searched. `None` for all.
        namespace: Option<String>,
        /// The labels.
        selector: String,
    },
    /// There is no cluster.
    #[error("{0}: KUBECONFIG has to name a kubeconfig file")]
    NoCluster(String),
    /// The Pods of the gateways cannot be listed.
    #[error("cannot list the Pods of the gateways: {0}")]
    Gateways(String),
    /// The workload cannot be restarted.
    #[error("--roll {0}: {1}")]
    Roll(String, String),
    /// The command cannot start.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[source] io::Error),
    /// The plot cannot be written.
    #[error("cannot write {file}: {0}", file = .1.display())]
    WritePlot(#[source] io::Error, PathBuf),
}

impl MeasureError {
    /// Whether other flags would help.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::PlotFile(..)
            | Self::NoCluster(_)
            | Self::Gateways(_)
            | Self::Roll(..)
            | Self::NoGateway { .. } => true,
            Self::Start(_) | Self::Write(_) | Self::WritePlot(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::everywhere(None, "any namespace")]
    #[case::in_a_namespace(Some("apisix"), "the namespace apisix")]
    fn without_a_gateway_it_says_what_to_do(#[case] namespace: Option<&str>, #[case] place: &str) {
        let namespace = namespace.map(str::to_owned);
        let error = MeasureError::NoGateway { namespace, selector: "app=apisix".to_owned() };
        let expected = format!(
            "no Pod of {place} has the labels app=apisix: --gateway-namespace and \
             --gateway-selector say where APISIX runs"
        );
        assert_eq!((error.to_string(), error.is_usage()), (expected, true));
    }
}
