//! What an audit says.

use serde::Serialize;

use super::{
    finding::{AuditFindingName, Protection},
    place::WorkloadPlace,
};
use crate::upstreams::Limit;

/// What an audit says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// How many there are.
    pub summary: AuditSummary,
    /// The workloads to whose Pods APISIX sends requests, in the order of their namespaces, kinds
    /// and names; each revision is one.
    pub workloads: Vec<WorkloadAudit>,
    /// What no sleep cures.
    pub limits: Vec<FoundLimit>,
    /// What could not be read, and why. The rest of the report does not know of it.
    pub unread: Vec<String>,
}

/// How many Pods and workloads an audit has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditSummary {
    /// Workloads to whose Pods APISIX sends requests.
    pub workloads: usize,
    /// Pods to which APISIX sends requests.
    pub pods: usize,
    /// Those that wait before they stop.
    pub protected: usize,
    /// Those that do not wait long enough.
    pub short: usize,
    /// Those that do not wait.
    pub unprotected: usize,
    /// Pods to which APISIX sends no requests.
    pub others: usize,
}

/// A revision of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadAudit {
    /// Where it is.
    #[serde(flatten)]
    pub place: WorkloadPlace,
    /// How many Pods it has; 0 in a manifest.
    pub pods: usize,
    /// How well the least protected of them is protected.
    pub protection: Protection,
    /// What sends requests to them.
    pub target: String,
    /// What there is to say about them, the worst first.
    pub findings: Vec<FoundProblem>,
    /// Where it is in a manifest, as `FILE:LINE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// A finding about a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundProblem {
    /// What it is.
    pub finding: AuditFindingName,
    /// How many Pods have it; 0 if it is about the workload.
    pub pods: usize,
    /// What it means.
    pub meaning: String,
    /// The command that mends it, or that shows more.
    pub command: String,
}

/// A Service or a route whose Pods no sleep protects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundLimit {
    /// The namespace.
    pub namespace: String,
    /// The kind.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// Why.
    pub limit: Limit,
    /// What it means.
    pub meaning: &'static str,
}

impl AuditReport {
    /// Whether it has what `--fail-on` asks for: `Unprotected` or worse than `Protected`; `None` asks
    /// for any finding.
    pub fn has(&self, at_most: Option<Protection>) -> bool {
        match at_most {
            Some(protection) => {
                self.workloads.iter().any(|workload| workload.protection <= protection)
            }
            None => {
                let mut workloads = self.workloads.iter();
                !self.limits.is_empty() || workloads.any(|it| !it.findings.is_empty())
            }
        }
    }
}
