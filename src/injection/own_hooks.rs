//! The hooks that the author of a Pod wrote.

use super::{
    decision::InjectedContainer,
    hook_state::HookState,
    notice::{Notice, Notices},
    pod::{Container, Pod},
};
use crate::units::Delay;

/// The longest own hook that is a known sleep. One that sleeps longer than `maximum` is no measure.
pub(super) fn longest_own_sleep(states: &[HookState<'_, '_>], maximum: Delay) -> Option<Delay> {
    let sleeps = states.iter().filter_map(|state| u32::try_from(state.own()?.known_sleep()?).ok());
    sleeps.filter(|sleep| *sleep <= maximum.get()).max().map(Delay::clamped)
}

/// Adds notices about own hooks that do not do what their author may expect. `ours` are the
/// containers that have a sleep of ours, and `grace` is the grace period with it.
pub(super) fn look_at_own_hooks(
    pod: &Pod<'_>,
    states: &[HookState<'_, '_>],
    ours: &[InjectedContainer<'_>],
    grace: i64,
    notices: &mut Notices,
) {
    let mut ours = ours.iter().peekable();
    for (index, (container, state)) in pod.spec.containers.iter().zip(states).enumerate() {
        let name = || container.name.clone().into_owned();
        if let HookState::Edited(_) = state {
            notices.push(Notice::HookEdited { container: name() });
        }
        let ours = ours.next_if(|container| container.index == index);
        if ours.is_none() {
            look_at_own_hook(container, state, grace, notices);
        }
        let sleep = || match ours {
            Some(ours) => Some(ours.delay.get().into()),
            None => state.own()?.known_sleep(),
        };
        if let Some((probe, grace)) = container.probe_grace()
            && let Some(sleep) = sleep()
            && grace.max(0).unsigned_abs() < sleep
        {
            notices.push(Notice::ProbeGraceShort { container: name(), probe, grace, sleep });
        }
    }
    // The hook of a native sidecar starts together with all others.
    for container in pod.spec.native_sidecars() {
        let state = HookState::of(container, None);
        cut_off(container, &state, grace, notices);
    }
}

fn look_at_own_hook(
    container: &Container<'_>,
    state: &HookState<'_, '_>,
    grace: i64,
    notices: &mut Notices,
) {
    let ends_listener = state.own().is_some_and(|hook| hook.ends_listener_at_once());
    if !cut_off(container, state, grace, notices) && ends_listener {
        let container = container.name.clone().into_owned();
        notices.push(Notice::HookEndsListener { container });
    }
}

/// Adds a notice if the grace period cuts an own hook off.
fn cut_off(
    container: &Container<'_>,
    state: &HookState<'_, '_>,
    grace: i64,
    notices: &mut Notices,
) -> bool {
    let sleep = state.own().and_then(|hook| hook.known_sleep());
    let sleep = sleep.filter(|sleep| *sleep > 0 && i64::try_from(*sleep).is_ok_and(|s| s >= grace));
    if let Some(sleep) = sleep {
        let container = container.name.clone().into_owned();
        notices.push(Notice::HookCutOff { container, sleep, grace });
    }
    sleep.is_some()
}
