//! What the preStop hook of a container is now.

use std::collections::BTreeMap;

use super::{
    hook::{Hook, PREPEND},
    pod::{Container, ExistingHook, Presence, Word},
    record::{InjectionRecord, RecordedChange, RecordedHook},
};

/// The state of each container. The record of an earlier injection names containers.
pub(super) fn hook_states<'p, 'a>(
    containers: &'p [Container<'a>],
    record: &'p InjectionRecord,
) -> Vec<HookState<'p, 'a>> {
    let recorded: BTreeMap<&str, &RecordedHook> =
        record.containers.iter().map(|hook| (&*hook.container, hook)).collect();
    let state = |container: &'p Container<'a>| {
        HookState::of(container, recorded.get(&*container.name).copied())
    };
    containers.iter().map(state).collect()
}

/// What the preStop hook of a container is now. The record of an earlier injection is a hint: what
/// is in the Pod decides.
#[derive(Debug)]
pub(super) enum HookState<'p, 'a> {
    /// There is none.
    Missing {
        /// Whether there is a `lifecycle` to put it into.
        lifecycle: Presence,
    },
    /// There is an empty handler, which the API server does not admit: a webhook that is built with
    /// older types has removed what it does not know. There may be a record of what we wrote.
    Stripped(Option<&'p RecordedHook>),
    /// It is ours, and as we wrote it.
    Ours(&'p RecordedHook, OurHook<'p, 'a>),
    /// It is ours no more: somebody has changed it since.
    Edited(&'p ExistingHook<'a>),
    /// It is the author's.
    Own(&'p ExistingHook<'a>),
}

impl<'p, 'a> HookState<'p, 'a> {
    /// The state of a container, of which an earlier injection may have left a record.
    pub(super) fn of(container: &'p Container<'a>, recorded: Option<&'p RecordedHook>) -> Self {
        let Some(lifecycle) = &container.lifecycle else {
            return Self::Missing { lifecycle: Presence::Absent };
        };
        match (&lifecycle.pre_stop, recorded) {
            (None, _) if !lifecycle.has_more() => Self::Missing { lifecycle: Presence::Empty },
            (None, _) => Self::Missing { lifecycle: Presence::Filled },
            (Some(hook), recorded) if hook.is_empty() => Self::Stripped(recorded),
            (Some(hook), Some(recorded)) => match OurHook::find(hook, recorded) {
                Some(ours) => Self::Ours(recorded, ours),
                None => Self::Edited(hook),
            },
            (Some(hook), None) => Self::Own(hook),
        }
    }

    /// Whether a webhook has removed a native sleep of ours, or had by the last look.
    pub(super) fn was_stripped(&self) -> bool {
        matches!(self, Self::Stripped(_) | Self::Ours(_, OurHook::Whole(Hook::Exec)))
    }

    /// The hook, if it is the author's.
    pub(super) fn own(&self) -> Option<&'p ExistingHook<'a>> {
        match self {
            Self::Own(hook) | Self::Edited(hook) => Some(hook),
            Self::Missing { .. } | Self::Stripped(_) | Self::Ours(..) => None,
        }
    }
}

/// A hook of ours that nobody has changed since the injection.
#[derive(Clone, Copy, Debug)]
pub(super) enum OurHook<'p, 'a> {
    /// The whole hook.
    Whole(Hook),
    /// A sleep before this command.
    Before(&'p [Word<'a>]),
}

impl<'p, 'a> OurHook<'p, 'a> {
    /// What is ours in `hook`, if it is what the record says.
    pub(super) fn find(hook: &'p ExistingHook<'a>, recorded: &RecordedHook) -> Option<Self> {
        let delay = recorded.delay.get();
        let command = hook.exec.as_ref().map_or(&[][..], |exec| &exec.command);
        if recorded.change == RecordedChange::Prepended {
            let (sleep, own) = command.split_at_checked(PREPEND.len() + 1)?;
            let words = sleep.iter().map(|word| &*word.0);
            let is_ours = words.eq(PREPEND.into_iter().chain([&*delay.to_string()]));
            return (is_ours && !own.is_empty()).then_some(Self::Before(own));
        }
        match (&hook.sleep, command) {
            (Some(sleep), []) if sleep.seconds == i64::from(delay) => {
                Some(Self::Whole(Hook::Sleep))
            }
            (None, [shell, flag, script])
                if [&*shell.0, &*flag.0] == ["/bin/sh", "-c"]
                    && script.0.strip_prefix("sleep ") == Some(&*delay.to_string()) =>
            {
                Some(Self::Whole(Hook::Exec))
            }
            _ => None,
        }
    }
}
