//! The whole reasoning about one Pod.

use super::{
    place::WorkloadPlace,
    pod::{AuditSettings, AuditedPod},
};
use crate::{
    constants::INJECTED_ANNOTATION,
    injection::{Context, Decision, HookWait, Injection, Plan, Policy, plan},
    upstreams::Target,
};

/// A step of the reasoning: what it is about, and what is so.
pub type ExplainedStep = (&'static str, String);

/// The whole reasoning about one Pod, in the order in which one thing follows from another.
pub fn explain(
    place: &WorkloadPlace,
    audited: &AuditedPod<'_, '_>,
    target: &Target,
    settings: &AuditSettings,
) -> Vec<ExplainedStep> {
    let AuditedPod { pod, created, namespace, routed, .. } = audited;
    let WorkloadPlace { kind, name, revision, .. } = place;
    let revision =
        if revision.is_empty() { String::new() } else { format!(", revision {revision}") };
    let created = if created.is_empty() { String::new() } else { format!(", created {created}") };
    let mut steps = vec![("workload", format!("{kind} {name}{revision}{created}"))];
    if let Some(namespace) = namespace {
        let since = namespace.since.iter().map(|since| format!(", the label is of {since}"));
        let since: String = since.collect();
        let has = if namespace.is_opted_in { "opted in" } else { "not opted in" };
        steps.push(("namespace", format!("{has}{since}")));
    }
    let routed = routed.iter().map(|routed| format!(", the route is of {routed}"));
    steps.push(("target", format!("{target}{}", routed.collect::<String>())));
    let Policy { delay, max_delay, shutdown_reserve, .. } = settings.policy;
    let whose = if settings.is_installed { "" } else { "no webhook is installed; it would have: " };
    steps.push((
        "policy",
        format!(
            "{whose}delay {delay}, at most {max_delay}, {shutdown_reserve} kept for the shutdown"
        ),
    ));
    for (container, wait) in pod.hook_waits() {
        steps.push(("container", format!("{container}: {}", describe(wait))));
    }
    steps.push(("grace", format!("{} s", pod.grace_period())));
    if let Some(record) = pod.annotation(INJECTED_ANNOTATION) {
        steps.push(("record", record.to_owned()));
    }
    let context = Context { target: Some(target), ..Context::of(pod, &settings.policy) };
    let Plan { decision, notices } = plan(pod, &context);
    let change = match &decision {
        Decision::Inject(injection) => changes(injection),
        Decision::Skip(_) => "no change".to_owned(),
    };
    steps.push(("webhook", format!("{}: for a new Pod like this: {change}", decision.reason())));
    steps.extend(notices.iter().map(|notice| ("notice", format!("{notice:#}"))));
    let is_target = matches!(target, Target::Upstream { .. });
    for finding in audited.findings(settings).into_iter().filter(|_| is_target) {
        steps.push(("finding", format!("{}: {finding}", finding.name().as_str())));
        steps.push(("try", finding.command(place)));
    }
    steps
}

fn describe(wait: HookWait) -> String {
    match wait {
        HookWait::Missing => "no preStop hook".to_owned(),
        HookWait::Sleeps(seconds) => format!("sleeps {seconds} s"),
        HookWait::EndsListener => "a hook that stops the server immediately".to_owned(),
        HookWait::Unknown => "a hook of which only its author knows whether it waits".to_owned(),
    }
}

fn changes(injection: &Injection<'_>) -> String {
    let sleeps = injection.containers.iter();
    let mut changes: Vec<_> =
        sleeps.map(|container| format!("{} sleeps {}", container.name, container.delay)).collect();
    changes.extend(injection.grace.map(|raise| format!("grace period {} s", raise.to)));
    changes.join(", ")
}
