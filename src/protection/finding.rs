//! What a person should know of the Pods of a workload, or of a Service.

use std::{fmt, sync::Arc};

use super::{
    audit::{Protection, WorkloadPlace},
    cause::FindingCause,
    unprotected_pod::WorkloadReference,
};
use crate::upstreams::{ObjectId, Target};

/// What a person should know of the Pods of a workload, or of a Service or a route. Its `Display` is
/// what an Event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The namespace.
    pub namespace: Arc<str>,
    /// What it is about.
    pub subject: Subject,
    /// Why the Pods are not protected.
    pub cause: FindingCause,
    /// How many Pods of a workload. 0 for a Service or a route.
    pub pods: usize,
    /// What sends requests to the Pods of a workload.
    pub target: Target,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// What controls the Pods, or a Pod that nothing controls.
    Workload(WorkloadReference),
    /// A Service, or a route.
    Object(ObjectId),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, subject, cause, pods, target } = self;
        let finding = match cause {
            FindingCause::Route(limit) => return f.write_str(limit.meaning()),
            FindingCause::Pod(finding) => finding,
        };
        let verb = match (finding.name().protection(), *pods == 1) {
            (Protection::Short, true) => "Pod does not wait long enough before it stops",
            (Protection::Short, false) => "Pods do not wait long enough before they stop",
            (_, true) => "Pod does not wait before it stops",
            (_, false) => "Pods do not wait before they stop",
        };
        write!(f, "{pods} {verb} ({target}): {finding}")?;
        let Subject::Workload(WorkloadReference { kind, name, .. }) = subject else {
            return Ok(());
        };
        let place = WorkloadPlace::new(namespace, kind, name, "");
        match finding.name().is_cured_by_restart() {
            true if !place.is_restartable() => f.write_str("; Pods that start now wait"),
            _ => write!(f, "; try: {}", finding.command(&place)),
        }
    }
}
