//! The grace period that a sleep needs.

use crate::constants::KUBERNETES_DEFAULT_GRACE_PERIOD;
use crate::seconds::{Delay, ShutdownReserve};

/// A raise of `terminationGracePeriodSeconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraceRaise {
    /// Before, in seconds. The API server admits negative values.
    pub from: i64,
    /// After, in seconds.
    pub to: i64,
}

/// The raise that a sleep of `delay` needs, if it needs one.
///
/// The kubelet pays for the hook out of the grace period, so whatever the sleep takes is lost
/// for the shutdown behind it: `delay` + `reserve` have to fit. `grace` is what the Pod asks
/// for, in seconds.
pub(super) fn raise(
    grace: Option<i64>,
    delay: Delay,
    reserve: ShutdownReserve,
) -> Option<GraceRaise> {
    let from = grace.unwrap_or(KUBERNETES_DEFAULT_GRACE_PERIOD);
    let to = i64::from(delay.get()) + i64::from(reserve.get());
    (to > from).then_some(GraceRaise { from, to })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fits_with_room(Some(30), 5, 10, None)]
    #[case::fits_exactly(Some(15), 5, 10, None)]
    #[case::one_second_short(Some(14), 5, 10, Some((14, 15)))]
    #[case::absent_means_thirty(None, 20, 10, None)]
    #[case::absent_and_too_short(None, 21, 10, Some((30, 31)))]
    #[case::zero(Some(0), 5, 10, Some((0, 15)))]
    #[case::negative(Some(-1), 5, 10, Some((-1, 15)))]
    #[case::no_reserve(Some(5), 5, 0, None)]
    #[case::all_limits(Some(30), 300, 3600, Some((30, 3900)))]
    #[case::larger_than_we_would_ever_set(Some(i64::MAX), 300, 3600, None)]
    fn raises_only_when_the_sleep_needs_it(
        #[case] grace: Option<i64>,
        #[case] delay: u32,
        #[case] reserve: u32,
        #[case] raised: Option<(i64, i64)>,
    ) {
        let expected = raised.map(|(from, to)| GraceRaise { from, to });
        assert_eq!(
            raise(
                grace,
                Delay::clamped(delay),
                ShutdownReserve::clamped(reserve)
            ),
            expected
        );
    }
}
