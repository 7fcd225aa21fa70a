//! Everything that was read.

use std::time::SystemTime;

use serde::Deserialize;

use super::{
    admission::{MutatingConfiguration, MutatingPolicy},
    dry_run_pod::DryRun,
    listed::{Listed, NamedMetadata},
    release::ReleaseFacts,
};

/// Everything that was read.
#[derive(Clone, Debug)]
pub struct PreflightFacts {
    /// The time.
    pub now: SystemTime,
    /// The version of this program.
    pub own_version: String,
    /// Whether nothing is installed yet (`--pre`).
    pub is_pre: bool,
    /// The only namespace that is looked at, if it is not all.
    pub only_namespace: Option<String>,
    /// The API server, or why it says nothing about itself.
    pub api_server: Result<ApiServerFacts, String>,
    /// The groups of its API.
    pub api_groups: Result<Vec<String>, String>,
    /// The nodes.
    pub nodes: Listed<NodeFacts>,
    /// What the caller may do.
    pub rights: Vec<RightFacts>,
    /// All mutating webhooks, and ours among them.
    pub configurations: Listed<MutatingConfiguration>,
    /// All mutating policies.
    pub policies: Listed<MutatingPolicy>,
    /// What belongs to each of our webhook configurations.
    pub releases: Vec<ReleaseFacts>,
    /// The namespaces.
    pub namespaces: Listed<NamespaceFacts>,
    /// The workloads that carry the label of the namespaces.
    pub workloads: Listed<LabelledWorkload>,
    /// The dry run in each namespace that has opted in.
    pub dry_runs: Vec<DryRun>,
    /// How many of these namespaces were left out.
    pub dry_runs_left_out: usize,
}

/// What the API server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiServerFacts {
    /// Its version, for people.
    pub version: String,
    /// The minor version of Kubernetes as which it behaves.
    pub minor: Option<u32>,
}

/// A node with a kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// The version of its kubelet.
    pub kubelet_version: String,
    /// Whether the kubelet knows the native sleep.
    pub knows_sleep: bool,
    /// What the provider of the cluster calls it, such as `gce://…`.
    pub provider_id: String,
}

/// What the caller may or may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightFacts {
    /// Such as `list`.
    pub verb: &'static str,
    /// The resource as kubectl names it, such as `deployments.apps`.
    pub resource: &'static str,
    /// The namespace; empty for all.
    pub namespace: String,
    /// Whether it is allowed, or why nobody knows.
    pub is_allowed: Result<bool, String>,
}

/// What is read of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NamespaceFacts {
    /// Its metadata.
    pub metadata: NamedMetadata,
}

/// A workload that carries the label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LabelledWorkload {
    /// Such as `Deployment`.
    pub kind: String,
    /// Its metadata.
    pub metadata: NamedMetadata,
}
