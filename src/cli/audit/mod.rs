//! `apisix-prestop audit`: whether the Pods to which APISIX sends requests are protected, and if
//! not, why, and what to type.

mod cluster;
mod markdown;
mod sarif;
mod table;
mod templates;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};

use super::{
    controller::ControllerArgs,
    injection::{DelayAboveMaximum, InjectionArgs},
};
use crate::{
    cluster::{ConnectError, ExplainError},
    injection::Hook,
    manifests::ManifestError,
    protection::{AuditReport, AuditSettings, Protection},
    units::Delay,
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
    pub(super) const fn is_usage(&self) -> bool {
        match self {
            Self::Flags(_) | Self::Manifests(_) | Self::NoCluster(_) | Self::Explain(_) => true,
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

/// The flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The namespace. Without -n and -A, that of the kubeconfig
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Audit manifests, and ask no cluster: a file, a directory (its *.yaml, *.yml and *.json), or -
    /// for stdin. May be repeated
    #[arg(short, long, value_name = "FILE|DIR|-", conflicts_with_all = ["all_namespaces", "explain"])]
    pub filename: Vec<PathBuf>,
    /// Read directories recursively
    #[arg(short = 'R', long, requires = "filename")]
    pub recursive: bool,
    /// Tell everything about one Pod of the namespace: what leads requests to it, what the webhook
    /// says of it, how it stops
    #[arg(long, value_name = "POD", conflicts_with_all = ["all_namespaces", "output", "fail_on"])]
    pub explain: Option<String>,
    /// What to write
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: AuditFormat,
    /// When to end with exit code 1
    #[arg(long, value_name = "FINDINGS", value_enum)]
    pub fail_on: Option<FailOn>,
    /// How long APISIX takes to let go of a Pod, if you have measured it: a shorter sleep is a
    /// finding. 0 to 3600 seconds
    #[arg(long, value_name = "SECONDS")]
    pub propagation: Option<Delay>,
    /// What the webhook would do. Those of an installed webhook apply instead.
    #[command(flatten, next_help_heading = "Injection, where no webhook is installed")]
    pub injection: InjectionArgs,
    /// The ingress controller of APISIX.
    #[command(flatten, next_help_heading = "APISIX, where no webhook is installed")]
    pub controller: ControllerArgs,
}

/// The format of an audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// A table, and what to type
    #[default]
    Table,
    /// The same, with revisions and routes
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Markdown, such as for the summary of a pipeline
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// When to end with exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// When Pods do not wait before they stop
    Unprotected,
    /// When they do not wait, or not long enough
    Short,
    /// When there is any finding
    Any,
}

impl FailOn {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unprotected => "unprotected",
            Self::Short => "short",
            Self::Any => "any",
        }
    }

    fn applies(self, report: &AuditReport) -> bool {
        report.has(match self {
            Self::Unprotected => Some(Protection::Unprotected),
            Self::Short => Some(Protection::Short),
            Self::Any => None,
        })
    }
}

pub(super) fn audit(args: AuditArgs) -> Result<(), AuditError> {
    // Most clusters have the native sleep. Which hook it is matters little for what is found.
    let policy = args.injection.policy(Hook::Sleep)?;
    let propagation = args.propagation.map(|propagation| propagation.get());
    let settings = AuditSettings { policy, is_installed: false, propagation };
    let (output, fail_on) = (args.output, args.fail_on);
    let report = if args.filename.is_empty() {
        match cluster::audit(args, settings)? {
            cluster::Audited::Report(report) => report,
            cluster::Audited::Pod(explanation) => {
                return Ok(io::stdout().write_all(table::explanation(&explanation).as_bytes())?);
            }
        }
    } else {
        // A manifest is for a cluster with a webhook.
        templates::audit(args, AuditSettings { is_installed: true, ..settings })?
    };
    let text = match output {
        AuditFormat::Table => table::report(&report, false),
        AuditFormat::Wide => table::report(&report, true),
        AuditFormat::Json => {
            serde_json::to_string_pretty(&report).map_err(io::Error::other)? + "\n"
        }
        AuditFormat::Yaml => serde_saphyr::to_string(&report).map_err(io::Error::other)?,
        AuditFormat::Markdown => markdown::report(&report),
        AuditFormat::Sarif => sarif::report(&report).map_err(io::Error::other)? + "\n",
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    match fail_on.filter(|fail_on| fail_on.applies(&report)) {
        Some(fail_on) => Err(AuditError::Found(fail_on)),
        None => Ok(()),
    }
}
