//! Whether a workload sleeps long enough.

use serde::Serialize;

use super::rounded::milliseconds;
use crate::{
    constants::MIN_HEADROOM,
    propagation::{PropagationReport, WorkloadPropagation},
};

/// Whether a workload sleeps long enough, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SleepVerdict {
    /// A Pod took longer: requests to it were lost.
    Short,
    /// Less than is recommended, or hardly longer than the slowest Pod took.
    Close,
    /// Its sleep is not known, or nothing to compare it with.
    Unknown,
    /// Long enough.
    Enough,
}

impl SleepVerdict {
    pub(super) fn of(workload: &WorkloadPropagation, report: &PropagationReport) -> Self {
        let recommended = report.recommended.map(|delay| u64::from(delay.get()));
        let Some(sleep) = workload.sleep else { return Self::Unknown };
        match headroom(workload) {
            Some(headroom) if headroom < 0 => Self::Short,
            Some(headroom) if headroom < milliseconds(MIN_HEADROOM) => Self::Close,
            _ if recommended.is_some_and(|delay| sleep < delay) => Self::Close,
            None if recommended.is_none() => Self::Unknown,
            _ => Self::Enough,
        }
    }
}

/// How much longer than its slowest Pod took a workload sleeps, in milliseconds.
pub(super) fn headroom(workload: &WorkloadPropagation) -> Option<i128> {
    Some(i128::from(workload.sleep?) * 1000 - milliseconds(workload.slowest?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::{SleepVerdict::*, *};
    use crate::units::Delay;

    #[rstest]
    #[case::enough(Some(5), Some(153), Some(2), Enough)]
    #[case::a_second_is_left(Some(5), Some(4000), Some(5), Enough)]
    #[case::less_than_a_second_is_left(Some(5), Some(4001), Some(5), Close)]
    #[case::as_long_as_the_slowest(Some(5), Some(5000), None, Close)]
    #[case::shorter_than_the_slowest(Some(5), Some(5001), None, Short)]
    #[case::shorter_than_recommended(Some(5), Some(153), Some(6), Close)]
    #[case::shorter_than_both(Some(5), Some(7012), Some(11), Short)]
    #[case::no_sleep(Some(0), Some(1), Some(2), Short)]
    #[case::no_sample_and_enough(Some(5), None, Some(5), Enough)]
    #[case::no_sample_and_too_short(Some(5), None, Some(6), Close)]
    #[case::nothing_to_compare_it_with(Some(5), None, None, Unknown)]
    #[case::the_sleep_is_not_known(None, Some(153), Some(2), Unknown)]
    #[case::the_longest_sleep(Some(u64::MAX), Some(153), Some(2), Enough)]
    fn a_sleep_is_judged(
        #[case] sleep: Option<u64>,
        #[case] slowest: Option<u64>,
        #[case] recommended: Option<u32>,
        #[case] expected: SleepVerdict,
    ) {
        let slowest = slowest.map(Duration::from_millis);
        let workload = WorkloadPropagation { sleep, slowest, ..WorkloadPropagation::default() };
        let recommended = recommended.map(Delay::clamped);
        let report = PropagationReport { recommended, ..PropagationReport::default() };
        assert_eq!(SleepVerdict::of(&workload, &report), expected);
    }
}
