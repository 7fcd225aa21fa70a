//! The grace period that the hooks need.

use super::policy::GracePolicy;
use crate::{
    constants::KUBERNETES_DEFAULT_GRACE_PERIOD,
    units::{Delay, ShutdownReserve},
};

/// A raise of `terminationGracePeriodSeconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraceRaise {
    /// Before, in seconds, if the Pod named one. The API server admits negative values.
    pub from: Option<i64>,
    /// After, in seconds.
    pub to: i64,
}

/// What the grace period must cover.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// The longest of our sleeps, including those of earlier reviews.
    pub ours: Delay,
    /// The longest of all hooks that are known sleeps, including ours, in seconds.
    pub longest_hook: u64,
    /// What the Pod keeps for its own shutdown.
    pub reserve: ShutdownReserve,
}

/// The grace period of a Pod, in seconds.
pub(super) fn or_default(grace: Option<i64>) -> i64 {
    grace.unwrap_or(KUBERNETES_DEFAULT_GRACE_PERIOD)
}

/// The grace period that a Pod needs, in seconds; never less than `grace`.
///
/// The grace period includes the time of the hooks, which all run at the same time: what the
/// longest hook takes is lost for the shutdown after it. `grace` is what the Pod asks for now, and
/// `before` what it asked for before an earlier review raised it, if one did.
pub(super) fn needed(policy: GracePolicy, grace: i64, before: Option<i64>, needs: Needs) -> i64 {
    let to = match policy {
        GracePolicy::Raise => {
            let hook = i64::try_from(needs.longest_hook).unwrap_or(i64::MAX);
            hook.saturating_add(needs.reserve.get().into())
        }
        GracePolicy::Extend => {
            before.unwrap_or(grace).max(0).saturating_add(needs.ours.get().into())
        }
        GracePolicy::Never => grace,
    };
    to.max(grace)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{GracePolicy::*, *};

    #[rstest]
    #[case::fits_with_room(Raise, 30, None, 5, 5, 10, 30)]
    #[case::fits_exactly(Raise, 15, None, 5, 5, 10, 15)]
    #[case::one_second_short(Raise, 14, None, 5, 5, 10, 15)]
    #[case::zero(Raise, 0, None, 5, 5, 10, 15)]
    #[case::negative(Raise, -1, None, 5, 5, 10, 15)]
    #[case::no_reserve(Raise, 5, None, 5, 5, 0, 5)]
    #[case::another_hook_is_longer(Raise, 30, None, 5, 40, 10, 50)]
    #[case::all_limits(Raise, 30, None, 3600, 3600, 3600, 7200)]
    #[case::larger_than_we_would_set(Raise, i64::MAX, None, 300, 300, 10, i64::MAX)]
    #[case::a_hook_without_end(Raise, 30, None, 5, u64::MAX, 10, i64::MAX)]
    #[case::extend(Extend, 30, None, 5, 5, 10, 35)]
    #[case::extend_a_second_time(Extend, 35, Some(30), 5, 5, 10, 35)]
    #[case::extend_further(Extend, 35, Some(30), 20, 20, 10, 50)]
    #[case::extend_zero(Extend, 0, None, 5, 5, 10, 5)]
    #[case::extend_negative(Extend, -7, None, 5, 5, 10, 5)]
    #[case::extend_the_largest(Extend, i64::MAX, None, 5, 5, 10, i64::MAX)]
    #[case::never(Never, 3, None, 5, 5, 10, 3)]
    fn the_grace_period_holds_what_it_has_to(
        #[case] policy: GracePolicy,
        #[case] grace: i64,
        #[case] before: Option<i64>,
        #[case] ours: u32,
        #[case] longest_hook: u64,
        #[case] reserve: u32,
        #[case] expected: i64,
    ) {
        let reserve = ShutdownReserve::clamped(reserve);
        let needs = Needs { ours: Delay::clamped(ours), longest_hook, reserve };
        assert_eq!(needed(policy, grace, before, needs), expected);
    }
}
