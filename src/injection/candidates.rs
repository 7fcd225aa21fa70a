//! The containers that get a sleep, or have one of ours.

use std::borrow::Cow;

use super::{
    decision::{HookPlacement, InjectedContainer, PreviousHook},
    hook::Hook,
    hook_state::{HookState, OurHook},
    notice::{Notice, Notices},
    overrides::Settings,
    pod::{Container, ExistingHook, Pod, Word},
};
use crate::units::Delay;

/// The containers that get a sleep, or have one of ours.
#[derive(Debug, Default)]
pub(super) struct Candidates<'a> {
    /// In the order of the Pod. A delay of 0 is possible.
    pub(super) containers: Vec<InjectedContainer<'a>>,
    /// Whether a container is left alone because the hook of another one calls it.
    pub(super) is_coordinated: bool,
    /// Whether a container is left alone because an exec hook does not work on Windows.
    pub(super) needs_native_sleep: bool,
}

/// Looks at all containers. `longest_own` is the longest sleep that the author wrote.
pub(super) fn candidates<'a>(
    pod: &Pod<'a>,
    states: &[HookState<'_, 'a>],
    settings: &Settings<'_>,
    hook: Hook,
    longest_own: Option<Delay>,
    notices: &mut Notices,
) -> Candidates<'a> {
    let mut found = Candidates::default();
    let is_windows = pod.spec.is_windows();
    // Where a webhook has removed one native sleep, it removes the next one too.
    let hook = if states.iter().any(HookState::was_stripped) { Hook::Exec } else { hook };
    for (index, (container, state)) in pod.spec.containers.iter().zip(states).enumerate() {
        let lifecycle = container.lifecycle.as_ref();
        let replace = HookPlacement::Replace {
            is_alone: lifecycle.is_some_and(|lifecycle| !lifecycle.has_more()),
        };
        let (hook, placement, previous) = match *state {
            HookState::Missing { .. } if is_called_by_another(&pod.spec.containers, index) => {
                found.is_coordinated = true;
                continue;
            }
            HookState::Missing { lifecycle } => (hook, HookPlacement::Add { lifecycle }, None),
            // Every version of the API knows exec. A native sleep would be removed again.
            HookState::Stripped(recorded) => {
                let container = container.name.clone().into_owned();
                notices.push(Notice::HookStripped { container });
                let previous = recorded.map(|recorded| PreviousHook::new(recorded, None));
                (Hook::Exec, replace, previous)
            }
            HookState::Ours(recorded, OurHook::Before(command)) => {
                let previous = PreviousHook::new(recorded, Some(Hook::Exec));
                (Hook::Exec, prepend(command), Some(previous))
            }
            // What became exec does not become a native sleep again: it may have been stripped.
            HookState::Ours(recorded, OurHook::Whole(now)) => {
                let hook = if is_windows || hook == Hook::Sleep { now } else { hook };
                (hook, replace, Some(PreviousHook::new(recorded, Some(now))))
            }
            HookState::Own(own) | HookState::Edited(own) => {
                // A hook that waits does what is wanted.
                if !settings.prepend || own.waits() {
                    continue;
                }
                let Some(command) = prependable(own).filter(|_| !is_windows) else {
                    let container = container.name.clone().into_owned();
                    notices.push(Notice::HookNotPrependable { container });
                    continue;
                };
                (Hook::Exec, prepend(command), None)
            }
        };
        // A sleep that goes before an own hook does not have to be as long as that.
        let is_prepended = matches!(placement, HookPlacement::Prepend { .. });
        let longest_own = longest_own.filter(|_| !is_prepended);
        let delay = settings.delay_of(&container.name, longest_own);
        let is_new = matches!(placement, HookPlacement::Add { .. });
        if is_windows && hook == Hook::Exec && is_new && delay.get() > 0 {
            found.needs_native_sleep = true;
            continue;
        }
        let name = container.name.clone();
        found.containers.push(InjectedContainer { index, name, delay, hook, placement, previous });
    }
    if found.needs_native_sleep {
        notices.push(Notice::WindowsNeedsSleep);
    }
    found
}

fn prependable<'p, 'a>(hook: &'p ExistingHook<'a>) -> Option<&'p [Word<'a>]> {
    hook.exec.as_ref().map(|exec| &exec.command[..]).filter(|command| !command.is_empty())
}

fn prepend<'a>(command: &[Word<'a>]) -> HookPlacement<'a> {
    HookPlacement::Prepend { command: command.iter().map(|word| Cow::clone(&word.0)).collect() }
}

/// Whether the preStop hook of another container calls this one over HTTP. Such a container ends its
/// work when it is told to, and expects SIGTERM to follow: a sleep of ours would start at the same
/// moment and delay that. Knative's queue-proxy is the known example.
pub(super) fn is_called_by_another(containers: &[Container<'_>], index: usize) -> bool {
    let called = &containers[index];
    !called.ports.is_empty()
        && containers.iter().enumerate().any(|(caller, container)| {
            caller != index && container.called_port().is_some_and(|port| called.has_port(port))
        })
}
