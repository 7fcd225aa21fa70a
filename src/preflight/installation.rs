//! What is installed, and which namespaces have opted in.

use super::{
    admission::{MutatingConfiguration, MutatingPolicy, MutatingWebhook},
    check_id::CheckId,
    facts::PreflightFacts,
    our_configuration::{is_ours, our_webhook},
    our_policy::is_our_policy,
    result::{CheckResult, CheckStatus},
    webhook_configuration,
};
use crate::{
    constants::{INJECT_ENABLED_VALUES, INJECT_LABEL},
    upstreams::StringMap,
};

/// Whether one of our webhooks or policies selects a namespace with these labels. As long as none is
/// known, the label says what the namespace wants.
pub fn is_opted_in(
    configurations: &[MutatingConfiguration],
    policies: &[MutatingPolicy],
    labels: &StringMap,
) -> bool {
    let webhooks = configurations.iter().filter(|it| is_ours(it)).filter_map(our_webhook);
    let webhooks = webhooks.map(|webhook| &webhook.namespace_selector);
    let policies = policies.iter().filter(|it| is_our_policy(it));
    let all = webhooks.chain(policies.map(MutatingPolicy::namespace_selector));
    let selects: Vec<_> = all.map(|selector| selector.selects(labels)).collect();
    match &selects[..] {
        [] => labels.get(INJECT_LABEL).is_some_and(|it| INJECT_ENABLED_VALUES.contains(&it)),
        selects => selects.contains(&true),
    }
}

pub(super) fn ours(facts: &PreflightFacts) -> impl Iterator<Item = (&str, &MutatingWebhook)> {
    let ours = facts.configurations.items.iter().filter(|it| is_ours(it));
    ours.filter_map(|it| Some((it.metadata.name.as_str(), our_webhook(it)?)))
}

pub(super) fn our_policies(facts: &PreflightFacts) -> impl Iterator<Item = &MutatingPolicy> {
    facts.policies.items.iter().filter(|it| is_our_policy(it))
}

/// `--pre`: what is left of an earlier release makes Helm stop, or the API server call nobody.
pub(super) fn check_earlier(facts: &PreflightFacts) -> Vec<CheckResult> {
    let id = CheckId::EarlierRelease;
    let mut results: Vec<_> = ours(facts)
        .map(|(name, _)| {
            id.warn(format!("the MutatingWebhookConfiguration {name} of a release is there"))
                .hint("helm list --all-namespaces --filter apisix-prestop")
        })
        .collect();
    results.extend(facts.configurations.warning(id, "MutatingWebhookConfigurations"));
    if results.is_empty() {
        results.push(id.pass("no other release is installed"));
    }
    results
}

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let id = CheckId::WebhookConfiguration;
    let mut results = Vec::new();
    for configuration in facts.configurations.items.iter().filter(|it| is_ours(it)) {
        let name = &configuration.metadata.name;
        results.push(id.pass(format!("there is the MutatingWebhookConfiguration {name}")));
        results.extend(webhook_configuration::check(configuration));
    }
    for policy in our_policies(facts) {
        let name = &policy.metadata.name;
        results.push(id.pass(format!("there is the MutatingAdmissionPolicy {name}")));
        results.push(webhook_configuration::check_policy(policy));
    }
    match (results.is_empty(), facts.configurations.warning(id, "MutatingWebhookConfigurations")) {
        (true, Some(unread)) => results.push(
CheckResult { status: CheckStatus::Failure, ..unread }
        ),
        (true, None) => results.push(
            id.fail("there is no MutatingWebhookConfiguration or MutatingAdmissionPolicy of apisix-prestop").hint(
                "helm install apisix-prestop charts/apisix-prestop -n apisix-prestop --create-namespace",
            ),
        ),
        (false, unread) => results.extend(unread),
    }
    results.extend(two_releases(facts));
    results
}

/// The second one finds the hooks of the first, whatever its own delay is.
fn two_releases(facts: &PreflightFacts) -> Option<CheckResult> {
    let namespaces = facts.namespaces.items.iter();
    let shared = namespaces.map(|it| &it.metadata).find_map(|namespace| {
        let selecting = ours(facts).filter(|(_, it)| it.sees_new_pods(&namespace.labels));
        let names: Vec<_> = selecting.map(|(name, _)| name).collect();
        (names.len() > 1).then(|| (names.join(" and "), &namespace.name))
    });
    let (names, namespace) = shared?;
    let message = format!("{names} both change the Pods of namespace {namespace}");
    Some(CheckId::TwoReleases.warn(message).hint("helm list --all-namespaces"))
}
