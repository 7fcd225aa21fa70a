//! The label of namespaces on a workload, where it has no effect.

use super::{
    check_id::CheckId,
    facts::{LabelledWorkload, PreflightFacts},
    installation::is_opted_in,
    listed::NamedMetadata,
    result::CheckResult,
};
use crate::constants::{INJECT_DISABLED, INJECT_ENABLED, INJECT_LABEL};

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let id = CheckId::LabelOnWorkload;
    let results = facts.workloads.items.iter().filter_map(|workload| near_miss(workload, facts));
    results.chain(facts.workloads.warning(id, "workloads with the label")).collect()
}

fn near_miss(workload: &LabelledWorkload, facts: &PreflightFacts) -> Option<CheckResult> {
    let LabelledWorkload { kind, metadata } = workload;
    let NamedMetadata { name, namespace, .. } = metadata;
    let mut namespaces = facts.namespaces.items.iter().map(|it| &it.metadata);
    let labels = &namespaces.find(|it| it.name == *namespace)?.labels;
    let value = metadata.label(INJECT_LABEL)?;
    let opts_out = INJECT_DISABLED.contains(&value);
    // Where it changes nothing, it is no mistake.
    if is_opted_in(&facts.configurations.items, &facts.policies.items, labels) != opts_out {
        return None;
    }
    let what = format!("{kind} {namespace}/{name} has the label {INJECT_LABEL}={value} itself");
    let (remedy, hint) = if opts_out {
        let hint = format!("kubectl -n {namespace} edit {} {name}", kind.to_lowercase());
        ("only one in spec.template.metadata.labels opts its Pods out", hint)
    } else {
        let hint = format!("kubectl label namespace {namespace} {INJECT_LABEL}={INJECT_ENABLED}");
        ("only a label on the namespace opts in", hint)
    };
    Some(CheckId::LabelOnWorkload.warn(format!("{what}: {remedy}")).hint(hint))
}
