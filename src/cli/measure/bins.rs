//! A histogram in steps of equal width.

use std::iter;

use super::rounded::milliseconds;
use crate::propagation::HistogramBucket;

/// The narrowest step, in milliseconds.
const MIN_WIDTH: i128 = 10;
/// The narrowest step, as a part of the longest sample: nobody needs to see finer ones.
const FINEST_PART: i128 = 50;

/// A histogram in steps of equal width: 1, 2 or 5 times a power of ten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bins {
    /// The width of a step, in milliseconds.
    pub(super) width: i128,
    /// Where the first step begins, in milliseconds.
    pub(super) start: i128,
    /// How many samples each step has.
    pub(super) counts: Vec<u64>,
}

impl Bins {
    /// As few as hold all samples, and `most` at most.
    pub(super) fn around(histogram: &[HistogramBucket], most: usize) -> Self {
        let times = histogram.iter().filter(|it| it.count > 0).map(|it| milliseconds(it.up_to));
        let (first, last) = (times.clone().min().unwrap_or(0), times.max().unwrap_or(0));
        let steps = |width: i128| step_of(last, width) - step_of(first, width) + 1;
        let mut widths = widths(MIN_WIDTH.max(last / FINEST_PART));
        let width = widths.find(|width| steps(*width) <= most as i128).unwrap_or(i128::MAX);
        Self::of(histogram, width, step_of(first, width), step_of(last, width))
    }

    /// Those from 0 to `end` milliseconds, and `most` at most.
    pub(super) fn up_to(histogram: &[HistogramBucket], end: i128, most: usize) -> Self {
        let width = width(MIN_WIDTH, end, most);
        Self::of(histogram, width, 0, step_of(end, width))
    }

    fn of(histogram: &[HistogramBucket], width: i128, first: i128, last: i128) -> Self {
        let mut counts = vec![0_u64; usize::try_from(last - first + 1).unwrap_or_default()];
        for HistogramBucket { up_to, count } in histogram {
            let step = step_of(milliseconds(*up_to), width) - first;
            let slot = usize::try_from(step).ok().and_then(|step| counts.get_mut(step));
            if let Some(slot) = slot {
                *slot = slot.saturating_add(*count);
            }
        }
        Self { width, start: first.saturating_mul(width), counts }
    }

    /// The largest number of samples in a step.
    pub(super) fn highest(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or_default()
    }

    /// Where each step ends in milliseconds, and how many samples it has.
    pub(super) fn steps(&self) -> impl ExactSizeIterator<Item = (i128, u64)> {
        let end = |step: usize| self.start.saturating_add(self.width.saturating_mul(step as i128));
        self.counts.iter().enumerate().map(move |(step, count)| (end(step + 1), *count))
    }
}

/// The smallest width from `min` on of which `most` steps reach `end`.
pub(super) fn width(min: i128, end: i128, most: usize) -> i128 {
    let mut widths = widths(min);
    widths.find(|width| step_of(end, *width) < most as i128).unwrap_or(i128::MAX)
}

/// From `min` on, or the next one.
fn widths(min: i128) -> impl Iterator<Item = i128> {
    let powers = iter::successors(Some(1_i128), |power| power.checked_mul(10));
    let widths = powers.flat_map(|power| [1, 2, 5].map(|factor| power.saturating_mul(factor)));
    widths.skip_while(move |width| *width < min)
}

/// The step of a time: a step ends with its upper bound.
const fn step_of(time: i128, width: i128) -> i128 {
    if time <= 0 { 0 } else { (time - 1) / width }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::{super::made_up::ms, *};

    fn histogram(times: &[(u64, u64)]) -> Vec<HistogramBucket> {
        let buckets = times.iter().map(|(time, count)| (ms(*time), *count));
        buckets.map(|(up_to, count)| HistogramBucket { up_to, count }).collect()
    }

    #[rstest]
    #[case::nothing(&[], 10, 0, &[0])]
    #[case::one(&[(153, 4)], 10, 150, &[4])]
    #[case::an_upper_bound(&[(150, 1), (151, 2)], 10, 140, &[1, 2])]
    #[case::two_of_a_step(&[(151, 1), (153, 2)], 10, 150, &[3])]
    #[case::a_gap(&[(153, 1), (181, 1)], 10, 150, &[1, 0, 0, 1])]
    #[case::a_wide_range(&[(100, 1), (900, 1)], 200, 0, &[1, 0, 0, 0, 1])]
    #[case::no_finer_than_anybody_needs(&[(2660, 1), (2848, 3)], 100, 2600, &[1, 0, 3])]
    #[case::without_samples_at_the_edges(&[(0, 0), (153, 1), (9000, 0)], 10, 150, &[1])]
    fn steps_hold_all_samples(
        #[case] times: &[(u64, u64)],
        #[case] width: i128,
        #[case] start: i128,
        #[case] counts: &[u64],
    ) {
        let expected = Bins { width, start, counts: counts.to_vec() };
        assert_eq!(Bins::around(&histogram(times), 5), expected);
    }

    #[test]
    fn steps_from_0_reach_the_end() {
        let bins = Bins::up_to(&histogram(&[(153, 1), (212, 2)]), 500, 5);
        assert_eq!(bins, Bins { width: 100, start: 0, counts: vec![0, 1, 2, 0, 0] });
        let ends: Vec<_> = bins.steps().collect();
        assert_eq!(ends, [(100, 0), (200, 1), (300, 2), (400, 0), (500, 0)]);
        assert_eq!(bins.highest(), 2);
    }

    #[test]
    fn no_histogram_has_more_steps_than_asked_for() {
        let longest = HistogramBucket { up_to: Duration::MAX, count: u64::MAX };
        let all = [histogram(&[(0, u64::MAX), (1, u64::MAX)]), vec![longest]].concat();
        for most in 1..=20 {
            let around = Bins::around(&all, most);
            let up_to = Bins::up_to(&all, milliseconds(longest.up_to), most);
            for bins in [around, up_to] {
                assert!((1..=most).contains(&bins.counts.len()), "{} of {most}", bins.counts.len());
                assert_eq!(bins.highest(), u64::MAX, "a sum stops at the largest number");
            }
        }
    }
}
