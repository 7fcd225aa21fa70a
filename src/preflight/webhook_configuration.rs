//! The MutatingWebhookConfiguration, or the MutatingAdmissionPolicy, of each release.

use super::{
    admission::{MutatingConfiguration, MutatingPolicy, MutatingWebhook, PodRule},
    check_id::CheckId,
    listed::NamedMetadata,
    our_configuration::our_webhook,
    result::CheckResult,
};
use crate::{
    constants::{
        INJECT_DISABLED, INJECT_ENABLED, INJECT_LABEL, INJECT_PATH, NAME_LABEL,
        NAMESPACE_NAME_LABEL,
    },
    upstreams::{LabelSelector, StringMap},
};

/// Checks our webhook in a configuration of ours.
pub(super) fn check(configuration: &MutatingConfiguration) -> Vec<CheckResult> {
    let Some(webhook) = our_webhook(configuration) else { return Vec::new() };
    let name = &configuration.metadata.name;
    let show = format!("kubectl get mutatingwebhookconfiguration {name} -o yaml");
    let engine = Engine {
        metadata: &configuration.metadata,
        namespace_selector: &webhook.namespace_selector,
        object_selector: &webhook.object_selector,
        home: webhook.client_config.service.as_ref().map(|service| &*service.namespace),
    };
    let results = [rules(name, webhook), selectors(&engine)];
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

/// Checks a MutatingAdmissionPolicy of ours.
pub(super) fn check_policy(policy: &MutatingPolicy) -> CheckResult {
    let engine = Engine {
        metadata: &policy.metadata,
        namespace_selector: policy.namespace_selector(),
        object_selector: policy.object_selector(),
        // It has no Pods.
        home: None,
    };
    let name = &policy.metadata.name;
    selectors(&engine).hint(format!("kubectl get mutatingadmissionpolicy {name} -o yaml"))
}

/// What changes Pods, and which.
struct Engine<'a> {
    metadata: &'a NamedMetadata,
    namespace_selector: &'a LabelSelector,
    object_selector: &'a LabelSelector,
    /// The namespace of its own Pods.
    home: Option<&'a str>,
}

fn selectors(engine: &Engine<'_>) -> CheckResult {
    let id = CheckId::WebhookSelectors;
    let Engine { metadata, namespace_selector, object_selector, home } = engine;
    let name = &metadata.name;
    let with = |labels: &StringMap, key: &str, value: Option<&str>| {
        let others = labels.iter().filter(|(other, _)| *other != key);
        let others = others.map(|(key, value)| (key.to_owned(), value.to_owned()));
        StringMap::from_iter(others.chain(value.map(|value| (key.to_owned(), value.to_owned()))))
    };
    // A release may select only some of the namespaces and Pods, by further labels.
    let (namespace, pod) = (namespace_selector.example(), object_selector.example());
    let selects = |value| namespace_selector.selects(&with(&namespace, INJECT_LABEL, value));
    let selects_pod = |key: &str, value| object_selector.selects(&with(&pod, key, value));
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
    let own = metadata.label(NAME_LABEL);
    let selects_home = |home: &str| {
        let home = with(&namespace, NAMESPACE_NAME_LABEL, Some(home));
        namespace_selector.selects(&with(&home, INJECT_LABEL, Some(INJECT_ENABLED)))
    };
    if own.is_some() && selects_pod(NAME_LABEL, own) && home.is_some_and(selects_home) {
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
