//! Whether the Pods to which APISIX sends requests are protected, and if not, why.
//!
//! [`AuditedPod`] has what is known of one Pod, and its findings. [`ProtectionAudit`] adds up those
//! of many by workload. Times are as Kubernetes writes them, such as `2026-01-01T00:00:00Z`, and
//! compare as text.

mod explanation;
mod finding;
mod lack;
mod place;
mod pod;
mod protection_audit;
mod replication;
mod report;

pub use explanation::{ExplainedStep, explain};
pub use finding::{AuditFinding, AuditFindingName, Protection};
pub use place::WorkloadPlace;
pub(super) use pod::overlooked;
pub use pod::{AuditSettings, AuditedPod, NamespaceOptIn, PodLife};
pub use protection_audit::ProtectionAudit;
pub use replication::{Budget, ReplicaAmount, Replication};
pub use report::{AuditReport, AuditSummary, FoundLimit, FoundProblem, WorkloadAudit};
