//! The decision.

use std::{borrow::Cow, collections::BTreeSet};

use super::{
    context::Context,
    decision::{Decision, HookPlacement, InjectedContainer, Injection, Plan, Reason},
    grace::{self, GraceRaise, Needs},
    hook::{ExistingHook, Hook},
    notice::Notice,
    overrides::{self, Settings},
    pod::{Container, Pod, Presence},
    policy::{GracePolicy, Policy},
    record::{InjectionRecord, RecordedChange, RecordedHook},
};
use crate::{
    constants::{INJECT_DISABLED, MAX_NOTICES},
    units::Delay,
};

/// Decides about a Pod at its creation.
///
/// The same Pod and context always give the same plan. The plan for a patched Pod is to skip it.
pub fn plan<'a>(pod: &Pod<'a>, context: &Context<'_>) -> Plan<'a> {
    let mut notices = Vec::new();
    let decision = match inject(pod, context, &mut notices) {
        Ok(injection) => Decision::Inject(injection),
        Err(reason) => Decision::Skip(reason),
    };
    notices.truncate(MAX_NOTICES);
    Plan { decision, notices }
}

fn inject<'a>(
    pod: &Pod<'a>,
    context: &Context<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Injection<'a>, Reason> {
    let policy = context.policy;
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
    let is_windows = pod.spec.is_windows();
    let mut containers = candidates(pod, &settings, is_windows, notices);
    let reason = if containers.is_empty() {
        Some(if record.containers.is_empty() {
            Reason::HookPresent
        } else {
            Reason::AlreadyInjected
        })
    } else {
        containers.retain(|container| container.delay.get() > 0);
        containers.is_empty().then_some(Reason::DelayZero)
    };
    let grace = grace::or_default(pod.spec.termination_grace_period_seconds);
    if let Some(reason) = reason {
        look_at_kept_hooks(pod, &record, grace, notices);
        return Err(reason);
    }
    if is_windows && policy.hook == Hook::Exec {
        notices.push(Notice::WindowsNeedsSleep);
        return Err(Reason::WindowsExec);
    }

    let raised = fit_grace(pod, policy, &settings, &record, &mut containers, notices)?;
    let from = pod.spec.termination_grace_period_seconds;
    let change = (raised > grace).then_some(GraceRaise { from, to: raised });
    let metadata = pod.metadata.as_ref().map(|metadata| metadata.annotations.presence());
    let record = extended(record, &containers, change, metadata);
    // With the new record: a hook that gets a sleep before it is not kept.
    look_at_kept_hooks(pod, &record, raised, notices);
    let reason = Reason::HookMissing;
    Ok(Injection { reason, hook: policy.hook, containers, grace: change, record, metadata })
}

/// The containers that can get a sleep, with the delay of each; a delay of 0 is possible.
fn candidates<'a>(
    pod: &Pod<'a>,
    settings: &Settings<'_>,
    is_windows: bool,
    notices: &mut Vec<Notice>,
) -> Vec<InjectedContainer<'a>> {
    let mut candidates = Vec::new();
    for (index, container) in pod.spec.containers.iter().enumerate() {
        let Some(placement) = placement(container, settings.prepend, is_windows, notices) else {
            continue;
        };
        let delay = settings.delay_of(&container.name);
        candidates.push(InjectedContainer {
            index,
            name: container.name.clone(),
            delay,
            placement,
        });
    }
    candidates
}

/// Where the sleep of a container goes. `None` if the container keeps its own hook.
fn placement<'a>(
    container: &Container<'a>,
    prepend: bool,
    is_windows: bool,
    notices: &mut Vec<Notice>,
) -> Option<HookPlacement<'a>> {
    let Some(lifecycle) = &container.lifecycle else {
        return Some(HookPlacement::Add { lifecycle: Presence::Absent });
    };
    let Some(hook) = &lifecycle.pre_stop else {
        let empty = lifecycle.post_start.is_none() && lifecycle.stop_signal.is_none();
        let lifecycle = if empty { Presence::Empty } else { Presence::Filled };
        return Some(HookPlacement::Add { lifecycle });
    };
    // A hook that already sleeps does what is wanted, and may be ours from an earlier review.
    if !prepend || hook.known_sleep().is_some() {
        return None;
    }
    match &hook.exec {
        Some(exec) if !is_windows && !exec.command.is_empty() => {
            let command = exec.command.iter().map(|word| word.0.clone()).collect();
            Some(HookPlacement::Prepend { command })
        }
        _ => {
            let container = container.name.clone().into_owned();
            notices.push(Notice::HookNotPrependable { container });
            None
        }
    }
}

/// The grace period that the sleeps need, in seconds. If the policy does not raise it, cuts the
/// sleeps to it: a longer native sleep makes the Pod invalid.
fn fit_grace(
    pod: &Pod<'_>,
    policy: &Policy,
    settings: &Settings<'_>,
    record: &InjectionRecord,
    containers: &mut [InjectedContainer<'_>],
    notices: &mut Vec<Notice>,
) -> Result<i64, Reason> {
    let grace = grace::or_default(pod.spec.termination_grace_period_seconds);
    let added = containers.iter().map(|container| container.delay);
    let before = record.containers.iter().map(|hook| hook.delay);
    let ours = added.chain(before).max().unwrap_or(Delay::clamped(0));
    // An own hook that sleeps longer than the policy allows does not count.
    let kept = hooks(&pod.spec.containers).filter_map(|(_, hook)| hook.known_sleep());
    let kept = kept.filter(|sleep| *sleep <= u64::from(policy.max_delay.get())).max();
    let longest_hook = u64::from(ours.get()).max(kept.unwrap_or(0));
    let needs = Needs { ours, longest_hook, reserve: settings.reserve };
    let raised_before = record.grace.filter(|raise| raise.to == grace);
    let original = raised_before.map(|raise| grace::or_default(raise.from));
    let to = grace::needed(policy.grace, grace, original, needs);

    if policy.grace == GracePolicy::Never {
        let needed = grace::needed(GracePolicy::Raise, grace, None, needs);
        if needed > grace {
            notices.push(Notice::GraceTooShort { grace, needed });
        }
        let room = u32::try_from(grace.max(0)).unwrap_or(u32::MAX);
        if room == 0 {
            return Err(Reason::GraceZero);
        }
        for container in containers {
            container.delay = container.delay.min(Delay::clamped(room));
        }
    } else if grace <= 0 {
        notices.push(Notice::GraceZero { grace, raised_to: to });
    }
    Ok(to)
}

/// Adds notices about own hooks that do not do what their author may expect.
fn look_at_kept_hooks(
    pod: &Pod<'_>,
    record: &InjectionRecord,
    grace: i64,
    notices: &mut Vec<Notice>,
) {
    let ours: BTreeSet<_> = record.containers.iter().map(|hook| &*hook.container).collect();
    let cut_off = |sleep: &u64| *sleep > 0 && i64::try_from(*sleep).is_ok_and(|s| s >= grace);
    for (name, hook) in hooks(&pod.spec.containers).filter(|(name, _)| !ours.contains(name)) {
        if let Some(sleep) = hook.known_sleep().filter(cut_off) {
            notices.push(Notice::HookCutOff { container: name.to_owned(), sleep, grace });
        } else if hook.ends_listener_at_once() {
            notices.push(Notice::HookEndsListener { container: name.to_owned() });
        }
    }
    // The hook of a native sidecar starts together with all others.
    for (name, hook) in hooks(pod.spec.native_sidecars()) {
        if let Some(sleep) = hook.known_sleep().filter(cut_off) {
            notices.push(Notice::HookCutOff { container: name.to_owned(), sleep, grace });
        }
    }
}

/// The containers with a preStop hook.
fn hooks<'p, 'a: 'p>(
    containers: impl IntoIterator<Item = &'p Container<'a>>,
) -> impl Iterator<Item = (&'p str, &'p ExistingHook<'a>)> {
    containers.into_iter().filter_map(|container| {
        let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
        Some((&*container.name, hook))
    })
}

/// The record after this injection: that of earlier reviews, and the new sleeps.
fn extended(
    mut record: InjectionRecord,
    containers: &[InjectedContainer<'_>],
    grace: Option<GraceRaise>,
    metadata: Option<Presence>,
) -> InjectionRecord {
    if !record.containers.is_empty() {
        let again: BTreeSet<_> = containers.iter().map(|container| &*container.name).collect();
        record.containers.retain(|hook| !again.contains(&*hook.container));
    }
    for InjectedContainer { name, delay, placement, .. } in containers {
        let change = match placement {
            HookPlacement::Add { lifecycle: Presence::Empty } => {
                RecordedChange::AddedToEmptyLifecycle
            }
            HookPlacement::Add { .. } => RecordedChange::Added,
            HookPlacement::Prepend { .. } => RecordedChange::Prepended,
        };
        let container = Cow::clone(name).into_owned();
        record.containers.push(RecordedHook { container, delay: *delay, change });
    }
    if let Some(raise) = grace {
        // The value before the first raise, if that raise still applies.
        let first = record.grace.filter(|first| Some(first.to) == raise.from);
        let from = first.map_or(raise.from, |first| first.from);
        record.grace = Some(GraceRaise { from, to: raise.to });
    }
    record.annotations_were_empty |= metadata == Some(Presence::Empty);
    record
}
