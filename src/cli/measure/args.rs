//! The flags of `measure`.

use std::path::PathBuf;

use clap::Args;

use super::super::{gateway::GatewayArgs, object_name::namespace_name, upstreams::ReportFormat};
use super::rolled_workload::RolledWorkload;
use crate::{constants::DEFAULT_MEASURE_TIME, units::MeasureTime};

/// The flags of `measure`.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// How long to measure, or to wait for --roll at most: 1s to 1d. Ctrl-C ends it early, and the
    /// report is still written
    #[arg(long = "for", value_name = "TIME", default_value_t = MeasureTime::clamped(DEFAULT_MEASURE_TIME))]
    pub time: MeasureTime,
    /// Restart this workload, as `kubectl rollout restart` does, and measure its Pods until the last of
    /// them has gone: deployment/NAME, statefulset/NAME or daemonset/NAME
    #[arg(long, value_name = "KIND/NAME")]
    pub roll: Option<RolledWorkload>,
    /// The namespace whose Pods are measured. Without it, that of the kubeconfig with --roll, and all
    /// namespaces otherwise
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    pub namespace: Option<String>,
    /// What to write
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: ReportFormat,
    /// Write a histogram to this file, as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// The gateways.
    #[command(flatten, next_help_heading = "Gateways")]
    pub gateway: GatewayArgs,
}
