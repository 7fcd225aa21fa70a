//! The MutatingWebhookConfiguration of each release.

use super::{
    admission::{MutatingWebhook, PodRule},
    check_id::CheckId,
    result::CheckResult,
};
use crate::{
    constants::{INJECT_DISABLED, INJECT_ENABLED, INJECT_LABEL, INJECT_PATH},
    upstreams::StringMap,
};

/// Checks our webhook in the configuration `name`.
pub(super) fn check(name: &str, webhook: &MutatingWebhook) -> Vec<CheckResult> {
    let show = format!("kubectl get mutatingwebhookconfiguration {name} -o yaml");
    let results = [rules(name, webhook), selectors(name, webhook)];
    results.into_iter().map(|result| result.hint(show.clone())).collect()
}

fn rules(name: &str, webhook: &MutatingWebhook) -> CheckResult {
    let id = CheckId::WebhookRules;
    let path = webhook.client_config.service.as_ref().map(|service| service.path.as_str());
    if path.is_some_and(|path| path != INJECT_PATH) {
        return id.fail(format!("{name} calls another path than {INJECT_PATH}"));
    }
    if !webhook.rules.iter().any(PodRule::is_for_new_pods) {
        return id.fail(format!("{name} has no rule for CREATE of pods"));
    }
    let policy = match webhook.failure_policy.as_str() {
        "Ignore" => "a Pod goes without the hook",
        _ => "no Pod is created",
    };
    id.pass(format!("{name} is called for each new Pod; if it does not answer, {policy}"))
}

fn selectors(name: &str, webhook: &MutatingWebhook) -> CheckResult {
    let id = CheckId::WebhookSelectors;
    let labels = |value: Option<&str>, namespace: &str| {
        let name = ("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
        let label = value.map(|value| (INJECT_LABEL.to_owned(), value.to_owned()));
        StringMap::from_iter(label.into_iter().chain([name]))
    };
    let selects = |value, name| webhook.namespace_selector.selects(&labels(value, name));
    let selects_pod = |value| webhook.object_selector.selects(&labels(value, ""));
    if !selects(Some(INJECT_ENABLED), "") {
        return id
            .fail(format!("{name} selects no namespace with {INJECT_LABEL}={INJECT_ENABLED}"));
    }
    if !selects_pod(None) {
        return id.fail(format!("{name} selects no Pod without labels"));
    }
    if selects(None, "") {
        return id.warn(format!("{name} selects namespaces without {INJECT_LABEL}"));
    }
    if let Some(value) = INJECT_DISABLED.iter().find(|value| selects_pod(Some(value))) {
        return id.warn(format!("{name} selects Pods with {INJECT_LABEL}={value}"));
    }
    let own = webhook.client_config.service.as_ref().map(|service| &service.namespace);
    if own.is_some_and(|own| selects(Some(INJECT_ENABLED), own)) {
        return id.warn(format!("{name} does not exclude the namespace of its own Pods"));
    }
    id.pass(format!("{name} selects the namespaces with {INJECT_LABEL}={INJECT_ENABLED}"))
}
