//! What `apisix-prestop check` makes of what it has read: each line of its report, with its hint.
//!
//! Pure: [`PreflightFacts`] holds everything that was read, and the time too.

mod admission;
mod api_server;
mod check_id;
mod dry_run;
mod dry_run_pod;
mod facts;
mod installation;
mod listed;
mod namespaces;
mod other_admission;
mod our_configuration;
mod our_policy;
mod permissions;
mod platform;
mod release;
mod replicas;
mod report;
mod result;
mod served_certificate;
mod webhook_configuration;
mod workload_label;

pub use admission::{MutatingConfiguration, MutatingPolicy, WebhookService};
pub use check_id::{CheckId, CheckSection};
pub use dry_run_pod::{DryRun, DryRunPod, dry_run_pod};
pub use facts::{
    ApiServerFacts, LabelledWorkload, NamespaceFacts, NodeFacts, PreflightFacts, RightFacts,
};
pub use installation::is_opted_in;
pub use listed::{Listed, NamedMetadata};
pub use our_configuration::{is_ours, our_webhook};
pub use our_policy::{is_our_policy, settings_of};
pub use release::{ReleaseFacts, ReplicaPod, ServedFacts, ServedValidity, WebhookDeployment};
pub use report::PreflightReport;
pub use result::{CheckResult, CheckStatus};
