//! The decision.

use super::{
    candidates::{Candidates, candidates},
    context::Context,
    decision::{Decision, InjectedContainer, Injection, Plan, Reason},
    fit::fit,
    grace::{self, GraceRaise},
    hook_state::hook_states,
    notice::Notices,
    overrides,
    own_hooks::{longest_own_sleep, look_at_own_hooks},
    pod::{Pod, Presence},
    policy::Targets,
    record::{InjectionRecord, RecordedGrace},
};
use crate::{
    constants::{INJECT_DISABLED, INJECTED_ANNOTATION, MAX_ANNOTATIONS_BYTES},
    upstreams::Target,
};

/// Decides about a Pod at its creation.
///
/// The same Pod and context always give the same plan. The plan for a patched Pod is to skip it.
pub fn plan<'a>(pod: &Pod<'a>, context: &Context<'_>) -> Plan<'a> {
    let mut notices = Notices::default();
    let decision = match inject(pod, context, &mut notices) {
        Ok(injection) => Decision::Inject(injection),
        Err(reason) => Decision::Skip(reason),
    };
    Plan { decision, notices: notices.into_vec() }
}

fn inject<'a>(
    pod: &Pod<'a>,
    context: &Context<'_>,
    notices: &mut Notices,
) -> Result<Injection<'a>, Reason> {
    let policy = context.policy;
    if pod.is_too_large() {
        return Err(Reason::TooLarge);
    }
    if pod.inject_label().is_some_and(|value| INJECT_DISABLED.contains(&value)) {
        return Err(Reason::OptedOut);
    }
    if pod.is_mirror() {
        return Err(Reason::MirrorPod);
    }
    if !policy.jobs && context.controller.is_some_and(|controller| controller.is_job()) {
        return Err(Reason::Job);
    }
    if !policy.jobs && pod.spec.runs_to_completion() {
        return Err(Reason::RunToCompletion);
    }
    let record: InjectionRecord = pod.record().and_then(|r| r.parse().ok()).unwrap_or_default();
    let settings = overrides::settings(pod, policy, notices);
    let target = context.target.unwrap_or(&Target::Unknown);
    if !settings.is_always_target && !policy.targets.include(target) {
        let has_service = matches!(target, Target::Service { .. });
        return Err(if has_service { Reason::NoRoute } else { Reason::NoService });
    }
    let states = hook_states(&pod.spec.containers, &record);
    let longest_own = longest_own_sleep(&states, policy.max_delay);
    let Candidates { mut containers, is_coordinated, needs_native_sleep } =
        candidates(pod, &states, &settings, policy.hook, longest_own, notices);

    let from = pod.spec.termination_grace_period_seconds;
    let before = grace::or_default(from);
    let reserve = settings.reserve;
    let fit = fit(from, policy.grace, reserve, &record, longest_own, &mut containers, notices);
    look_at_own_hooks(pod, &states, &containers, fit.grace, notices);
    let raise = (fit.grace > before).then_some(GraceRaise { from, to: fit.grace });

    let mut changes = containers.iter().filter(|container| container.is_change()).peekable();
    let reason = if changes.peek().is_some() {
        let is_new = changes.any(|container| !container.has_ours());
        let is_unknown = policy.targets != Targets::All && *target == Target::Unknown;
        match is_new {
            true if is_unknown && !settings.is_always_target => Reason::TargetUnknown,
            true => Reason::HookMissing,
            false => Reason::HookOutdated,
        }
    } else if raise.is_some() {
        Reason::GraceTooShort
    } else {
        return Err(match &containers[..] {
            _ if needs_native_sleep => Reason::WindowsExec,
            [] if is_coordinated => Reason::ShutdownCoordinated,
            [] => Reason::HookPresent,
            all if all.iter().all(InjectedContainer::has_ours) => Reason::AlreadyInjected,
            _ if fit.has_no_room => Reason::GraceZero,
            _ => Reason::DelayZero,
        });
    };

    let metadata = pod.metadata.as_ref().map(|metadata| metadata.annotations.presence());
    let annotations_were_empty = record.annotations_were_empty || metadata == Some(Presence::Empty);
    let record = next_record(&containers, fit.recorded, annotations_were_empty, context.target);
    let earlier = pod.record();
    let has_room_for_record = context.annotations_bytes.is_none_or(|all| {
        let earlier = earlier.map_or(0, |record| INJECTED_ANNOTATION.len() + record.len());
        all.saturating_sub(earlier) + record.annotation_bytes() <= MAX_ANNOTATIONS_BYTES
    });
    containers.retain(InjectedContainer::is_change);
    Ok(Injection {
        reason,
        containers,
        grace: raise,
        record,
        was_recorded: earlier.is_some(),
        has_room_for_record,
        metadata,
    })
}

/// The record after this injection: first the sleeps of earlier reviews, then the new ones.
fn next_record(
    containers: &[InjectedContainer<'_>],
    grace: Option<RecordedGrace>,
    annotations_were_empty: bool,
    target: Option<&Target>,
) -> InjectionRecord {
    let earlier = containers.iter().filter(|container| container.previous.is_some());
    let new = containers.iter().filter(|container| container.previous.is_none());
    let containers = earlier.chain(new).filter_map(InjectedContainer::recorded).collect();
    InjectionRecord {
        containers,
        grace,
        annotations_were_empty,
        target: target.map(ToString::to_string),
    }
}
