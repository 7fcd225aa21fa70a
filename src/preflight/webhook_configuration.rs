//! The MutatingWebhookConfiguration of each release.

use super::{
    admission::{MutatingConfiguration, MutatingWebhook, PodRule},
    check_id::CheckId,
    our_configuration::our_webhook,
    result::CheckResult,
};
use crate::{
    constants::{
        INJECT_DISABLED, INJECT_ENABLED, INJECT_LABEL, INJECT_PATH, NAME_LABEL,
        NAMESPACE_NAME_LABEL,
    },
    upstreams::StringMap,
};

/// Checks our webhook in a configuration of ours.
pub(super) fn check(configuration: &MutatingConfiguration) -> Vec<CheckResult> {
    let Some(webhook) = our_webhook(configuration) else { return Vec::new() };
    let name = &configuration.metadata.name;
    let show = format!("kubectl get mutatingwebhookconfiguration {name} -o yaml");
    let results = [rules(name, webhook), selectors(configuration, webhook)];
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

fn selectors(configuration: &MutatingConfiguration, webhook: &MutatingWebhook) -> CheckResult {
    let id = CheckId::WebhookSelectors;
    let name = &configuration.metadata.name;
    let with = |labels: &StringMap, key: &str, value: Option<&str>| {
        let others = labels.iter().filter(|(other, _)| *other != key);
        let others = others.map(|(key, value)| (key.to_owned(), value.to_owned()));
        StringMap::from_iter(others.chain(value.map(|value| (key.to_owned(), value.to_owned()))))
    };
    // A release may select only some of the namespaces and Pods, by further labels.
    let (namespace, pod) =
        (webhook.namespace_selector.example(), webhook.object_selector.example());
    let selects =
        |value| webhook.namespace_selector.selects(&with(&namespace, INJECT_LABEL, value));
    let selects_pod = |key: &str, value| webhook.object_selector.selects(&with(&pod, key, value));
    if !selects(Some(INJECT_ENABLED)) {
        return id
            .fail(format!("{name} selects no namespace with {INJECT_LABEL}={INJECT_ENABLED}"));
    }
    if !selects_pod(INJECT_LABEL, None) {
        return id.fail(format!("{name} selects no Pod without {INJECT_LABEL}"));
    }
    if selects(None) {
        return id.warn(format!("{name} selects namespaces without {INJECT_LABEL}"));
    }
    if let Some(value) = INJECT_DISABLED.iter().find(|value| selects_pod(INJECT_LABEL, Some(value)))
    {
        return id.warn(format!("{name} selects Pods with {INJECT_LABEL}={value}"));
    }
    // An earlier version of the chart excludes the whole namespace.
    let service = webhook.client_config.service.as_ref();
    let home = with(&namespace, NAMESPACE_NAME_LABEL, service.map(|it| &*it.namespace));
    let own = configuration.metadata.label(NAME_LABEL);
    let selects_home =
        || webhook.namespace_selector.selects(&with(&home, INJECT_LABEL, Some(INJECT_ENABLED)));
    if own.is_some() && selects_pod(NAME_LABEL, own) && selects_home() {
        return id.warn(format!("{name} does not exclude the Pods of the webhook itself"));
    }
    let only = |labels: &StringMap| {
        let further = labels.iter().filter(|(key, _)| *key != INJECT_LABEL);
        further.map(|(key, value)| format!(" and {key}={value}")).collect::<String>()
    };
    let pods = only(&pod);
    let pods = match pods.strip_prefix(" and ") {
        None => String::new(),
        Some(pods) => format!(", and there Pods with {pods}"),
    };
    id.pass(format!(
        "{name} selects the namespaces with {INJECT_LABEL}={INJECT_ENABLED}{}{pods}",
        only(&namespace)
    ))
}
