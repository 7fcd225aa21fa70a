//! The flags of `audit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::{
    controller::ControllerArgs,
    injection::InjectionArgs,
    object_name::{namespace_name, pod_name},
};
use crate::{
    protection::{AuditReport, Protection},
    units::Delay,
};

/// The flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The namespace. Without -n and -A, that of the kubeconfig
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
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
    #[arg(long, value_name = "POD", value_parser = pod_name, conflicts_with_all = ["all_namespaces", "output", "fail_on"])]
    pub explain: Option<String>,
    /// What to write
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: AuditFormat,
    /// When to end with exit code 1
    #[arg(long, value_name = "FINDINGS", value_enum)]
    pub fail_on: Option<FailOn>,
    /// How long APISIX takes to let go of a Pod: a shorter sleep is a finding. 0 to 3600 seconds.
    /// Without it, what the webhook has measured, if it does
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
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unprotected => "unprotected",
            Self::Short => "short",
            Self::Any => "any",
        }
    }

    /// Whether a report has what it asks for.
    pub(super) fn applies(self, report: &AuditReport) -> bool {
        report.has(match self {
            Self::Unprotected => Some(Protection::Unprotected),
            Self::Short => Some(Protection::Short),
            Self::Any => None,
        })
    }
}
