//! `apisix-prestop upstreams`: which Services and workloads APISIX sends requests to, from manifests.

mod table;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};

use super::{
    controller::ControllerArgs,
    manifest_objects::{index_of, manifest_objects},
};
use crate::{
    manifests::{ListedObject, ManifestError},
    upstreams::{StringMap, UpstreamReport, Workload},
};

/// Why `upstreams` failed.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamsError {
    /// The manifests cannot be read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

impl UpstreamsError {
    /// Whether another input would help.
    pub(super) const fn is_usage(&self) -> bool {
        matches!(self, Self::Manifests(_))
    }
}

/// The flags of `upstreams`.
#[derive(Debug, Args)]
pub struct UpstreamsArgs {
    /// A file, a directory (its *.yaml, *.yml and *.json), or - for stdin. May be repeated
    #[arg(short, long, value_name = "FILE|DIR|-", required = true)]
    pub filename: Vec<PathBuf>,
    /// Read directories recursively
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The namespace of objects that do not name one
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub namespace: String,
    /// What to write
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: ReportFormat,
    /// The ingress controller of APISIX.
    #[command(flatten, next_help_heading = "APISIX")]
    pub controller: ControllerArgs,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Tables for people
    #[default]
    Table,
    /// JSON for programs
    Json,
}

/// What cannot be read is named on stderr, and left out.
pub(super) fn upstreams(args: UpstreamsArgs) -> Result<(), UpstreamsError> {
    let UpstreamsArgs { filename, recursive, namespace, output, controller } = args;
    let listed = manifest_objects(&filename, recursive)?;
    let mut index = index_of(&listed, controller.into(), &namespace);
    let workloads = listed.iter().filter_map(|object| workload(object, &namespace));
    let report = index.report(workloads.collect());
    let mut stdout = io::stdout().lock();
    write(&report, output, &mut stdout)?;
    Ok(stdout.flush()?)
}

fn workload(object: &ListedObject, namespace: &str) -> Option<Workload> {
    let labels = object.pod.as_ref()?["metadata"]["labels"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    Some(Workload {
        kind: object.kind.clone(),
        namespace: object.namespace().unwrap_or(namespace).to_owned(),
        name: object.name().unwrap_or("(no name)").to_owned(),
        labels: labels.collect::<StringMap>(),
    })
}

fn write(report: &UpstreamReport, format: ReportFormat, to: &mut impl Write) -> io::Result<()> {
    match format {
        ReportFormat::Table => to.write_all(table::tables(report).as_bytes()),
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut *to, report)?;
            to.write_all(b"\n")
        }
    }
}
