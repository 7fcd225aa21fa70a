//! Mutating webhooks and policies.

use serde::Deserialize;

use super::listed::NamedMetadata;
use crate::upstreams::{LabelSelector, StringMap};

/// The policy with which a webhook asks for a second call.
const IF_NEEDED: &str = "IfNeeded";

/// What is read of a MutatingWebhookConfiguration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MutatingConfiguration {
    /// Its metadata.
    pub metadata: NamedMetadata,
    /// Its webhooks.
    pub webhooks: Vec<MutatingWebhook>,
}

/// What is read of one of its webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MutatingWebhook {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub client_config: WebhookClient,
    /// When it is called.
    pub rules: Vec<PodRule>,
    /// In which namespaces.
    pub namespace_selector: LabelSelector,
    /// For which objects.
    pub object_selector: LabelSelector,
    /// What happens when it does not answer.
    pub failure_policy: String,
    reinvocation_policy: String,
}

/// Where a webhook is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookClient {
    /// Its Service.
    pub service: Option<WebhookService>,
    /// The CA that the API server trusts, in PEM form and base64.
    pub ca_bundle: String,
}

/// The Service of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WebhookService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The path of the webhook.
    pub path: String,
    /// The port; 443 if there is none.
    pub port: Option<u16>,
}

/// When a webhook or a policy is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodRule {
    operations: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
}

impl PodRule {
    /// Whether it includes the creation of Pods.
    pub(super) fn is_for_new_pods(&self) -> bool {
        let has = |list: &[String], value: &str| list.iter().any(|it| it == value || it == "*");
        has(&self.operations, "CREATE")
            && has(&self.api_groups, "")
            && (has(&self.resources, "pods") || has(&self.resources, "*/*"))
    }
}

impl MutatingWebhook {
    /// Whether it is called for a new Pod without labels in a namespace with these.
    pub(super) fn sees_new_pods(&self, namespace: &StringMap) -> bool {
        self.rules.iter().any(PodRule::is_for_new_pods)
            && self.namespace_selector.selects(namespace)
            && self.object_selector.selects(&StringMap::default())
    }

    /// Whether it is called again when a later one has changed the object.
    pub(super) fn asks_again(&self) -> bool {
        self.reinvocation_policy == IF_NEEDED
    }
}

/// What is read of a MutatingAdmissionPolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MutatingPolicy {
    /// Its metadata.
    pub metadata: NamedMetadata,
    spec: MutatingPolicySpec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MutatingPolicySpec {
    match_constraints: MatchConstraints,
    match_conditions: Vec<NamedExpression>,
    variables: Vec<NamedExpression>,
    reinvocation_policy: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct NamedExpression {
    name: String,
    expression: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MatchConstraints {
    namespace_selector: LabelSelector,
    object_selector: LabelSelector,
    resource_rules: Vec<PodRule>,
}

impl MutatingPolicy {
    /// In which namespaces it applies.
    pub fn namespace_selector(&self) -> &LabelSelector {
        &self.spec.match_constraints.namespace_selector
    }

    /// For which objects it applies.
    pub(super) const fn object_selector(&self) -> &LabelSelector {
        &self.spec.match_constraints.object_selector
    }

    /// The expression of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let variable = self.spec.variables.iter().find(|variable| variable.name == name);
        variable.map(|variable| variable.expression.as_str())
    }

    /// Whether it has a condition of this name.
    pub(super) fn has_condition(&self, name: &str) -> bool {
        self.spec.match_conditions.iter().any(|condition| condition.name == name)
    }

    /// Whether it is called again when a later one has changed a new Pod without labels in a namespace
    /// with these.
    pub(super) fn asks_again_for_new_pods(&self, namespace: &StringMap) -> bool {
        let MatchConstraints { namespace_selector, object_selector, resource_rules } =
            &self.spec.match_constraints;
        self.spec.reinvocation_policy == IF_NEEDED
            && resource_rules.iter().any(PodRule::is_for_new_pods)
            && namespace_selector.selects(namespace)
            && object_selector.selects(&StringMap::default())
    }
}
