//! Why `audit` failed, or what it found.

use std::io;

use super::super::injection::DelayAboveMaximum;
use super::args::FailOn;
use crate::{
    cluster::{ConnectError, ExplainError},
    manifests::ManifestError,
};

/// Why `audit` failed, or what it found.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The flags contradict each other.
    #[error(transparent)]
    Flags(#[from] DelayAboveMaximum),
    /// The manifests cannot be read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// There is no cluster.
    #[error("{0}; KUBECONFIG names a file with a cluster, and -f audits manifests without one")]
    NoCluster(String),
    /// There is no such namespace.
    #[error("--namespace: there is no namespace {0}")]
    NoNamespace(String),
    /// The Pod to explain cannot be read.
    #[error("--explain: {0}")]
    Explain(String),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
    /// There is what `--fail-on` asks for.
    #[error("there are findings (--fail-on {})", .0.as_str())]
    Found(FailOn),
}

impl AuditError {
    /// Whether other flags, another input or a cluster would help.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Flags(_)
            | Self::Manifests(_)
            | Self::NoCluster(_)
            | Self::NoNamespace(_)
            | Self::Explain(_) => true,
            Self::Write(_) | Self::Found(_) => false,
        }
    }
}

impl From<ConnectError> for AuditError {
    fn from(error: ConnectError) -> Self {
        Self::NoCluster(error.to_string())
    }
}

impl From<ExplainError> for AuditError {
    fn from(error: ExplainError) -> Self {
        Self::Explain(error.to_string())
    }
}
