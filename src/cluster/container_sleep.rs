//! How long containers sleep before they stop.

use crate::injection::{HookWait, Pod};

/// How long a container sleeps before it stops, in seconds. `None` if nobody can tell.
pub(super) fn sleep_of_container(pod: &Pod<'_>, name: &str) -> Option<u64> {
    sleeps(pod).find(|(container, _)| *container == name)?.1
}

/// How long each container sleeps before it stops, in seconds. `None` if nobody can tell.
pub(super) fn sleeps<'p>(pod: &'p Pod<'_>) -> impl Iterator<Item = (&'p str, Option<u64>)> {
    let grace = u64::try_from(pod.grace_period()).unwrap_or_default();
    pod.hook_waits().map(move |(name, wait)| {
        let sleep = match wait {
            HookWait::Sleeps(seconds) => Some(seconds.min(grace)),
            HookWait::Missing | HookWait::EndsListener => Some(0),
            HookWait::Unknown => None,
        };
        (name, sleep)
    })
}
