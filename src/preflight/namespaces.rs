//! Which namespaces have opted in, and which only seem to.

use super::{
    check_id::CheckId, facts::PreflightFacts, installation::is_opted_in, listed::NamedMetadata,
    result::CheckResult,
};
use crate::constants::{INJECT_DISABLED, INJECT_ENABLED, INJECT_ENABLED_VALUES, INJECT_LABEL};

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let namespaces = facts.namespaces.items.iter().map(|it| &it.metadata);
    let (opted_in, others): (Vec<_>, Vec<_>) = namespaces.partition(|it| {
        is_opted_in(&facts.configurations.items, &facts.policies.items, &it.labels)
    });
    let mut results: Vec<_> = others.into_iter().filter_map(near_miss).collect();
    // What is wrong with the only namespace says also that it has not opted in.
    if facts.only_namespace.is_none() || results.is_empty() {
        results.insert(0, in_all(facts, &opted_in));
    }
    results.extend(facts.namespaces.warning(CheckId::OptedIn, "namespaces"));
    results
}

fn in_all(facts: &PreflightFacts, opted_in: &[&NamedMetadata]) -> CheckResult {
    let id = CheckId::OptedIn;
    let only = facts.only_namespace.as_deref();
    let label =
        |name: &str| format!("kubectl label namespace {name} {INJECT_LABEL}={INJECT_ENABLED}");
    match (opted_in, only) {
        (&[], Some(name)) if facts.namespaces == Default::default() => {
            id.fail(format!("there is no namespace {name}")).hint("kubectl get namespaces")
        }
        (&[], Some(name)) => {
            id.warn(format!("namespace {name} has not opted in")).hint(label(name))
        }
        (&[], None) => id.warn("no namespace has opted in").hint(label("NAMESPACE")),
        _ => {
            let names: Vec<_> = opted_in.iter().map(|it| it.name.as_str()).collect();
            id.pass(format!("{} opted in: {}", count(names.len()), names.join(", ")))
        }
    }
}

pub(super) fn count(namespaces: usize) -> String {
    let plural = if namespaces == 1 { "" } else { "s" };
    format!("{namespaces} namespace{plural}")
}

/// What somebody has written on a namespace that has not opted in, and has no effect.
fn near_miss(namespace: &NamedMetadata) -> Option<CheckResult> {
    let NamedMetadata { name, annotations, .. } = namespace;
    let opt_in = format!("{INJECT_LABEL}={INJECT_ENABLED}");
    let label = format!("kubectl label namespace {name} {opt_in} --overwrite");
    match namespace.label(INJECT_LABEL) {
        Some(value) if INJECT_ENABLED_VALUES.contains(&value) => {
            let message = format!(
                "namespace {name} has the label {INJECT_LABEL}={value}, but the webhook excludes it \
                 (webhook.excludedNamespaces, webhook.namespaceSelector)"
            );
            let remove = format!("kubectl label namespace {name} {INJECT_LABEL}-");
            Some(CheckId::ExcludedNamespace.warn(message).hint(remove))
        }
        Some(value) if !INJECT_DISABLED.contains(&value) => {
            let message = format!(
                "namespace {name} has the label {INJECT_LABEL}={value}: only {opt_in} opts in"
            );
            Some(CheckId::LabelValue.warn(message).hint(label))
        }
        None if annotations.get(INJECT_LABEL).is_some() => {
            let message = format!(
                "namespace {name} has {INJECT_LABEL} as an annotation: only a label opts in"
            );
            Some(CheckId::LabelAsAnnotation.warn(message).hint(label))
        }
        _ => None,
    }
}
