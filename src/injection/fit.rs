//! How the sleeps and the grace period fit together.

use super::{
    decision::InjectedContainer,
    grace::{GraceRaise, Needs, needed, or_default},
    notice::{Notice, Notices},
    policy::GracePolicy,
    record::{InjectionRecord, RecordedGrace},
};
use crate::{
    constants::DEFAULT_DELAY,
    units::{Delay, ShutdownReserve},
};

/// How sleeps and grace period fit together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// The grace period that results, in seconds.
    pub(super) grace: i64,
    /// What the record says of it.
    pub(super) recorded: Option<RecordedGrace>,
    /// Whether there is no time to sleep at all.
    pub(super) has_no_room: bool,
}

/// Finds the grace period that the sleeps need. Where it must not be raised, cuts the sleeps to it:
/// a longer native sleep makes the Pod invalid.
///
/// `grace` is what the Pod asks for. `own` is the longest sleep that its author wrote.
pub(super) fn fit(
    grace: Option<i64>,
    policy: GracePolicy,
    reserve: ShutdownReserve,
    record: &InjectionRecord,
    own: Option<Delay>,
    containers: &mut [InjectedContainer<'_>],
    notices: &mut Notices,
) -> Fit {
    let (from, grace) = (grace, or_default(grace));
    let own = own.unwrap_or(Delay::clamped(0));
    let is_lowered = is_lowered(grace, record, containers);
    let previous = match record.grace {
        Some(RecordedGrace::Raised(raise)) if raise.to == grace => Some(raise),
        _ => None,
    };
    // Whoever lowered it would lower it again, for as long as the Pod says so.
    let recorded = match is_lowered {
        true => Some(RecordedGrace::Lowered(grace)),
        false => previous.map(RecordedGrace::Raised),
    };
    let unchanged = Fit { grace, recorded, has_no_room: false };
    let ours = containers.iter().map(|container| container.delay).max();
    let must_stay = policy == GracePolicy::Never || is_lowered;
    let ours = match ours {
        // Nothing is ours, but what the author wrote does not fit.
        None if i64::from(own.get()) >= grace && own.get() > 0 && !must_stay => own,
        None => return unchanged,
        Some(ours) if ours.get() == 0 => return unchanged,
        Some(ours) => ours,
    };
    let longest = containers.iter().map(InjectedContainer::duration).max().unwrap_or(0);
    let needs = Needs { ours, longest_hook: longest.max(own.get().into()), reserve };

    if must_stay {
        let needed = needed(GracePolicy::Raise, grace, None, needs);
        if needed <= grace {
            return unchanged;
        }
        let room = room(grace, reserve);
        let mut cut = None;
        for container in containers.iter_mut().filter(|container| container.delay > room) {
            container.delay = room;
            cut = Some(room.get());
        }
        let cut = cut.filter(|cut| *cut > 0);
        notices.push(Notice::GraceTooShort { grace, needed, cut });
        return Fit { has_no_room: room.get() == 0, ..unchanged };
    }
    let original = previous.map(|raise| or_default(raise.from));
    let to = needed(policy, grace, original, needs);
    if grace <= 0 {
        notices.push(Notice::GraceZero { grace, raised_to: to });
    }
    if to == grace {
        return unchanged;
    }
    // The value before the first raise, if that raise still applies.
    let from = previous.map_or(from, |first| first.from);
    Fit { grace: to, recorded: Some(RecordedGrace::Raised(GraceRaise { from, to })), ..unchanged }
}

/// Whether somebody lowered the grace period after an earlier injection. Another raise would be
/// lowered again.
fn is_lowered(grace: i64, record: &InjectionRecord, containers: &[InjectedContainer<'_>]) -> bool {
    let ours = containers.iter().filter_map(InjectedContainer::previous_delay).max();
    match (record.grace, ours) {
        (Some(RecordedGrace::Lowered(to)), _) => grace <= to,
        (Some(RecordedGrace::Raised(raise)), Some(_)) => grace < raise.to,
        (None, Some(ours)) => grace < ours.get().into(),
        (_, None) => false,
    }
}

/// The longest sleep for which a grace period has room. The reserve is kept, unless that leaves less
/// than the sleep that APISIX advises.
fn room(grace: i64, reserve: ShutdownReserve) -> Delay {
    let grace = u32::try_from(grace.max(0)).unwrap_or(u32::MAX);
    Delay::clamped(grace.saturating_sub(reserve.get()).max(grace.min(DEFAULT_DELAY)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::with_room(50, 10, 40)]
    #[case::just_enough(15, 10, 5)]
    #[case::less_than_sleep_and_reserve(12, 10, 5)]
    #[case::less_than_a_sleep(3, 10, 3)]
    #[case::nothing(0, 10, 0)]
    #[case::negative(-1, 10, 0)]
    #[case::no_reserve(30, 0, 30)]
    #[case::the_longest(i64::MAX, 10, 3600)]
    fn a_sleep_is_cut_to_the_room_that_there_is(
        #[case] grace: i64,
        #[case] reserve: u32,
        #[case] expected: u32,
    ) {
        assert_eq!(room(grace, ShutdownReserve::clamped(reserve)).get(), expected);
    }
}
