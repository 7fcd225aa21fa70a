//! Which running Pods APISIX sends requests to although they do not wait before they stop.
//!
//! Everything here is pure. [`RunningPods`] takes the Pods of a cluster as they change, and
//! [`findings`](RunningPods::findings) compares them with what is known of targets.
//! [`Announcements`] says which findings a person should learn of, and when.

mod announcements;
mod audit;
mod cause;
mod finding;
mod running_pods;
mod unprotected_pod;

pub use announcements::Announcements;
pub use audit::{
    AuditFinding, AuditFindingName, AuditReport, AuditSettings, AuditSummary, AuditedPod, Budget,
    ExplainedStep, FoundLimit, FoundProblem, NamespaceOptIn, PodLife, Protection, ProtectionAudit,
    ReplicaAmount, Replication, WorkloadAudit, WorkloadPlace, explain,
};
pub use cause::FindingCause;
pub use finding::{Finding, Subject};
pub use running_pods::RunningPods;
pub use unprotected_pod::{UnprotectedPod, WorkloadReference};
