//! What belongs to a release: its replicas, what they serve, and who may reach them.

use std::time::SystemTime;

use serde::Deserialize;

use super::listed::{Listed, NamedMetadata};
use crate::{constants::WEBHOOK_PORT, upstreams::LabelSelector};

/// What the chart calls the port of the webhook.
pub(super) const HTTPS_PORT: &str = "https";

/// What belongs to one of our webhook configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFacts {
    /// The name of the configuration.
    pub configuration: String,
    /// The namespace of its Service and replicas.
    pub namespace: String,
    /// The Deployments with the labels of the release.
    pub deployments: Listed<WebhookDeployment>,
    /// Their Pods.
    pub pods: Listed<ReplicaPod>,
    /// The NetworkPolicies of the namespace.
    pub network_policies: Listed<IngressPolicy>,
    /// How many certificates the configuration names, or why it names none.
    pub bundle: Result<usize, String>,
    /// What each ready replica serves.
    pub served: Vec<ServedFacts>,
}

/// What a replica serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedFacts {
    /// The name of its Pod, or of the Service.
    pub replica: String,
    /// Why nobody could see it; or whether the bundle verifies it, and from when to when it is valid.
    pub certificate: Result<ServedValidity, String>,
}

/// A certificate that was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedValidity {
    /// Why the API server does not trust it, if it does not.
    pub distrust: Option<String>,
    /// The first moment.
    pub not_before: SystemTime,
    /// The last moment.
    pub not_after: SystemTime,
}

/// What is read of the Deployment of the webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WebhookDeployment {
    /// Its metadata.
    pub metadata: NamedMetadata,
    /// What it should be.
    pub spec: WebhookDeploymentSpec,
}

/// What the Deployment of the webhook should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WebhookDeploymentSpec {
    /// How many replicas there should be.
    pub replicas: usize,
    template: WebhookTemplate,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct WebhookTemplate {
    spec: ReplicaSpec,
}

/// What is read of a Pod of the webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ReplicaPod {
    /// Its metadata.
    pub metadata: ReplicaMetadata,
    spec: ReplicaSpec,
    status: ReplicaStatus,
}

/// The metadata of a Pod of the webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReplicaMetadata {
    /// Its name, labels and annotations.
    #[serde(flatten)]
    pub named: NamedMetadata,
    deletion_timestamp: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ReplicaSpec {
    containers: Vec<ReplicaContainer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ReplicaContainer {
    image: String,
    args: Vec<String>,
    ports: Vec<ReplicaPort>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReplicaPort {
    name: String,
    container_port: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ReplicaStatus {
    conditions: Vec<ReplicaCondition>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ReplicaCondition {
    r#type: String,
    status: String,
}

/// What is read of a NetworkPolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressPolicy {
    /// Its metadata.
    pub metadata: NamedMetadata,
    /// What it allows.
    pub spec: IngressPolicySpec,
}

/// What a NetworkPolicy allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IngressPolicySpec {
    /// To which Pods it applies.
    pub pod_selector: LabelSelector,
    /// Whether to `Ingress`, `Egress`, or both.
    pub policy_types: Vec<String>,
    /// What may reach them.
    pub ingress: Vec<IngressRule>,
}

/// What may reach Pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// On which ports; on all if there are none.
    pub ports: Vec<IngressPort>,
}

/// On which ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IngressPort {
    /// A number or a name.
    pub port: Option<PortOrName>,
    /// The last one of a range.
    pub end_port: Option<u16>,
}

/// A number or a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PortOrName {
    /// A number.
    Number(u16),
    /// A name.
    Name(String),
}

impl ReleaseFacts {
    /// The port of its webhook.
    pub(super) fn webhook_port(&self) -> u16 {
        self.pods.items.first().map_or(WEBHOOK_PORT, ReplicaPod::webhook_port)
    }
}

impl WebhookDeployment {
    /// The arguments of the program. The first is the command.
    pub fn arguments(&self) -> Option<&[String]> {
        let containers = self.spec.template.spec.containers.iter();
        let mut arguments = containers.map(|it| &it.args[..]);
        arguments.find(|args| !args.is_empty())
    }

    /// Whether a flag of the webhook has this form.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.arguments().is_some_and(|args| args.iter().any(|arg| arg == flag))
    }
}

impl ReplicaPod {
    /// Whether it is ready, and stays.
    pub fn is_ready(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        self.is_there() && conditions.any(|it| it.r#type == "Ready" && it.status == "True")
    }

    /// Whether it stays.
    pub(super) fn is_there(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
    }

    /// The port of the webhook.
    pub fn webhook_port(&self) -> u16 {
        let mut ports = self.spec.containers.iter().flat_map(|container| &container.ports);
        ports.find(|port| port.name == HTTPS_PORT).map_or(WEBHOOK_PORT, |port| port.container_port)
    }

    pub(super) fn image(&self) -> &str {
        self.spec.containers.first().map_or("", |container| &container.image)
    }
}
