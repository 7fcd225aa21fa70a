//! How long a running Pod waits before its containers stop.

use super::{
    candidates::is_called_by_another,
    grace,
    pod::{Container, Pod},
};

/// What the preStop hook of a container does while requests still arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookWait {
    /// There is no hook, or an empty one.
    Missing,
    /// It sleeps for so many seconds.
    Sleeps(u64),
    /// It begins by stopping the server.
    EndsListener,
    /// Only its author knows: a script, or a request to the application.
    Unknown,
}

impl Pod<'_> {
    /// The containers that have to wait, and what their hooks do. Left out are those whose end the
    /// hook of another container coordinates.
    pub fn hook_waits(&self) -> impl Iterator<Item = (&str, HookWait)> {
        let all = self.spec.containers.iter().enumerate();
        all.filter_map(|(index, container)| {
            let wait = HookWait::of(container);
            let is_coordinated = || is_called_by_another(&self.spec.containers, index);
            let is_left_out = wait == HookWait::Missing && is_coordinated();
            (!is_left_out).then_some((&*container.name, wait))
        })
    }

    /// Its grace period, in seconds.
    pub fn grace_period(&self) -> i64 {
        grace::or_default(self.spec.termination_grace_period_seconds)
    }
}

impl HookWait {
    /// How long it sleeps, in seconds.
    pub const fn seconds(self) -> Option<u64> {
        match self {
            Self::Sleeps(seconds) => Some(seconds),
            Self::Missing | Self::EndsListener | Self::Unknown => None,
        }
    }

    fn of(container: &Container<'_>) -> Self {
        let lifecycle = container.lifecycle.as_ref();
        let Some(hook) = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
            return Self::Missing;
        };
        match hook.known_sleep() {
            _ if hook.is_empty() => Self::Missing,
            _ if hook.ends_listener_at_once() => Self::EndsListener,
            Some(sleep) => Self::Sleeps(sleep),
            None => Self::Unknown,
        }
    }
}
