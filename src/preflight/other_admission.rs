//! Other webhooks and policies that may change a Pod after our webhook or policy.

use super::{
    admission::{MutatingConfiguration, MutatingPolicy},
    check_id::CheckId,
    facts::PreflightFacts,
    installation::ours,
    our_configuration::is_ours,
    our_policy::is_our_policy,
    result::CheckResult,
};
use crate::upstreams::StringMap;

/// The others that may change a Pod of a namespace with these labels after our webhook. The API server
/// calls policies first, then the webhooks in the order of the names of their configurations; then again
/// those that ask for it, if a later one has changed the Pod.
pub(super) fn later(facts: &PreflightFacts, namespace: &StringMap) -> Vec<String> {
    let first = ours(facts).map(|(name, _)| name).min();
    let is_later = |it: &&MutatingConfiguration| {
        let mut webhooks = it.webhooks.iter().filter(|webhook| webhook.sees_new_pods(namespace));
        let comes_later = first.is_none_or(|first| it.metadata.name.as_str() > first);
        !is_ours(it) && webhooks.any(|it| comes_later || it.asks_again())
    };
    let webhooks = facts.configurations.items.iter().filter(is_later);
    let webhooks = webhooks.map(|it| format!("MutatingWebhookConfiguration {}", it.metadata.name));
    let is_again = |it: &&MutatingPolicy| it.asks_again_for_new_pods(namespace);
    let policies = facts.policies.items.iter().filter(|it| !is_our_policy(it)).filter(is_again);
    webhooks
        .chain(policies.map(|it| format!("MutatingAdmissionPolicy {}", it.metadata.name)))
        .collect()
}

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let id = CheckId::LaterAdmission;
    if facts.dry_runs.is_empty() {
        return Vec::new();
    }
    let looked_at = facts.dry_runs.iter().map(|it| &it.namespace);
    let mut all: Vec<_> = looked_at.flat_map(|it| later(facts, &facts.labels_of(it))).collect();
    all.sort();
    all.dedup();
    let found = match &all[..] {
        [] => id.pass("nothing else changes these Pods after the webhook"),
        all => id.pass(format!("these may change Pods after the webhook: {}", all.join(", "))),
    };
    let unread = facts.policies.warning(id, "MutatingAdmissionPolicies");
    [Some(found), unread].into_iter().flatten().collect()
}

impl PreflightFacts {
    pub(super) fn labels_of(&self, namespace: &str) -> StringMap {
        let mut namespaces = self.namespaces.items.iter().map(|it| &it.metadata);
        namespaces.find(|it| it.name == namespace).map(|it| it.labels.clone()).unwrap_or_default()
    }
}
