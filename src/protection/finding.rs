//! What a person should know of the Pods of a workload, or of a Service.

use std::{fmt, sync::Arc};

use super::{cause::FindingCause, hookless_pod::WorkloadReference, restartable::is_restartable};
use crate::{
    injection::Reason,
    upstreams::{ObjectId, Target},
};

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
        let reason = match cause {
            FindingCause::Route(limit) => return f.write_str(limit.meaning()),
            FindingCause::Pod(reason) => reason,
        };
        let noun = if *pods == 1 { "Pod" } else { "Pods" };
        let lack = match reason {
            Reason::GraceTooShort => "with a sleep that the grace period cuts off",
            Reason::GraceZero => "without a grace period, and so without a preStop sleep",
            Reason::WindowsExec => {
                "on Windows without a preStop sleep: hook exec has no shell there"
            }
            _ => "without a preStop sleep",
        };
        write!(f, "{pods} {noun} {lack} ({target})")?;
        let Subject::Workload(WorkloadReference { kind, name, .. }) = subject else {
            return Ok(());
        };
        if !cause.is_cured_by_restart() {
            return Ok(());
        }
        if is_restartable(kind) {
            let kind = kind.to_ascii_lowercase();
            // Whoever creates a Pod chooses this name.
            let name = name.escape_default();
            write!(f, "; restart to protect: kubectl rollout restart {kind}/{name} -n {namespace}")
        } else {
            write!(f, "; restart to protect: Pods that start now have one")
        }
    }
}
