//! The decision itself.

use super::{
    decision::{Decision, InjectedContainer, Injection, Plan, Reason},
    grace, overrides,
    pod::Pod,
    policy::Policy,
};
use crate::constants::INJECT_DISABLED;

/// What is to be done with a Pod that is being created.
///
/// A pure function: the same Pod and policy give the same plan, and the plan for a Pod that
/// has been patched by it is to skip.
pub fn plan<'a>(pod: &Pod<'a>, policy: &Policy) -> Plan<'a> {
    let mut notices = Vec::new();
    let decision = match inject(pod, policy, &mut notices) {
        Ok(injection) => Decision::Inject(injection),
        Err(reason) => Decision::Skip(reason),
    };
    Plan { decision, notices }
}

fn inject<'a>(
    pod: &Pod<'a>,
    policy: &Policy,
    notices: &mut Vec<super::Notice>,
) -> Result<Injection<'a>, Reason> {
    if pod
        .inject_label()
        .is_some_and(|value| INJECT_DISABLED.contains(&value))
    {
        return Err(Reason::OptedOut);
    }
    if pod.is_mirror() {
        return Err(Reason::MirrorPod);
    }
    let containers: Vec<_> = without_hook(pod).collect();
    if containers.is_empty() {
        return Err(Reason::HookPresent);
    }
    let delay = overrides::delay(pod, policy, notices);
    if delay.get() == 0 {
        return Err(Reason::DelayZero);
    }
    let grace = pod.spec.termination_grace_period_seconds;
    let grace = grace::raise(grace, delay, policy.shutdown_reserve);
    Ok(Injection {
        delay,
        hook: policy.hook,
        containers,
        grace,
    })
}

/// The containers that have no preStop hook: a container can have only one, and its author's
/// own is kept.
fn without_hook<'p, 'a>(pod: &'p Pod<'a>) -> impl Iterator<Item = InjectedContainer<'a>> + 'p {
    pod.spec
        .containers
        .iter()
        .enumerate()
        .filter_map(|(index, container)| {
            let lifecycle = container.lifecycle.as_ref();
            let has_hook = lifecycle.is_some_and(|lifecycle| lifecycle.pre_stop.is_some());
            (!has_hook).then(|| InjectedContainer {
                index,
                name: container.name.clone(),
                has_lifecycle: lifecycle.is_some(),
            })
        })
}
