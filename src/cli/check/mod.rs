//! `apisix-prestop check`: whether the webhook works in a cluster, or could.

mod json;
mod text;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Args;
use tokio::{
    runtime::Builder,
    time::{Instant, sleep},
};

use super::{object_name::namespace_name, stdout::write_stdout, upstreams::ReportFormat};
use crate::{
    cluster::{ConnectError, NoAnswer, PreflightScope, connect, gather},
    constants::CHECK_INTERVAL,
    preflight::{CheckStatus, PreflightReport},
    units::WaitTime,
};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CheckError(#[from] NoReport);

#[derive(Debug, thiserror::Error)]
enum NoReport {
    #[error("{0}: KUBECONFIG has to name a kubeconfig file")]
    NoCluster(#[from] ConnectError),
    #[error(
        "cannot use the API server: {0}: KUBECONFIG has to name the kubeconfig file of a cluster"
    )]
    NoAnswer(#[from] NoAnswer),
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

impl CheckError {
    /// Whether another kubeconfig would help.
    pub(super) const fn is_usage(&self) -> bool {
        matches!(self.0, NoReport::NoCluster(_) | NoReport::NoAnswer(_))
    }
}

/// The flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Check what matters before the installation: versions, and whether you may install the chart
    /// in --namespace (default: apisix-prestop)
    #[arg(long)]
    pub pre: bool,
    /// Look at this namespace only
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    pub namespace: Option<String>,
    /// Look at all namespaces (default)
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// What to write
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: ReportFormat,
    /// How long to check again until nothing fails: 0 to 3600 seconds
    #[arg(long, value_name = "SECONDS", default_value_t = WaitTime::MIN)]
    pub wait: WaitTime,
    /// Reach the webhook through its Service, from a Pod of the cluster, instead of a port-forward
    #[arg(long, conflicts_with = "pre")]
    pub in_cluster: bool,
}

/// Writes the report. A failed check is exit code 1, and no error: the report says it all.
pub(super) fn check(args: CheckArgs) -> Result<ExitCode, CheckError> {
    Ok(run(args)?)
}

fn run(args: CheckArgs) -> Result<ExitCode, NoReport> {
    let CheckArgs { pre, namespace, all_namespaces: _, output, wait, in_cluster } = args;
    let scope = PreflightScope { is_pre: pre, namespace, in_cluster };
    let runtime = Builder::new_current_thread().enable_all().build().map_err(NoReport::Start)?;
    let report = runtime.block_on(report(&scope, wait));
    // A name that is still looked up delays nobody.
    runtime.shutdown_background();
    let report = report?;
    let has_colors =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let text = match output {
        ReportFormat::Table => text::text(&report, has_colors),
        ReportFormat::Json => json::json(&report)?,
    };
    write_stdout(text)?;
    let has_failed = report.status() == CheckStatus::Failure;
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn report(scope: &PreflightScope, wait: WaitTime) -> Result<PreflightReport, NoReport> {
    let end = Instant::now() + wait.duration();
    let client = connect().await?;
    loop {
        let report = PreflightReport::of(&gather(client.clone(), scope).await?);
        if report.status() != CheckStatus::Failure || Instant::now() + CHECK_INTERVAL > end {
            return Ok(report);
        }
        sleep(CHECK_INTERVAL).await;
    }
}
