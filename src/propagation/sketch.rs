//! A sketch of how long departures took.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::report::HistogramBucket;
use crate::constants::MAX_SAMPLE;

const LONGEST: Duration = Duration::from_secs(MAX_SAMPLE as u64);

/// How long departures took, in bounded memory.
///
/// No quantile is below that of the samples, and each is within 1 % and 1 ms of it. A sample beyond
/// [`MAX_SAMPLE`] counts as that.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    /// In milliseconds, rounded up.
    histogram: Histogram<u32>,
    max: Duration,
}

impl Sketch {
    #[expect(clippy::expect_used, reason = "the bounds are constants, which every test uses")]
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, milliseconds(LONGEST), 2);
        Self { histogram: histogram.expect("bounds of a histogram"), max: Duration::ZERO }
    }

    pub(super) fn record(&mut self, took: Duration) {
        let took = took.min(LONGEST);
        self.histogram.saturating_record(milliseconds(took));
        self.max = self.max.max(took);
    }

    pub(super) fn add(&mut self, other: &Self) {
        // The bounds of both are the same, so nothing of `other` is beyond them.
        let _ = self.histogram.add(&other.histogram);
        self.max = self.max.max(other.max);
    }

    pub(super) fn len(&self) -> u64 {
        self.histogram.len()
    }

    /// The longest sample.
    pub(super) fn max(&self) -> Option<Duration> {
        (self.len() > 0).then_some(self.max)
    }

    /// How long such a part of the samples took at most.
    pub(super) fn quantile(&self, quantile: f64) -> Option<Duration> {
        // For 0 the histogram would return the lower bound of a bucket.
        let upper = self.histogram.value_at_quantile(quantile.max(f64::MIN_POSITIVE));
        Some(Duration::from_millis(upper).min(self.max()?))
    }

    /// The samples by how long they took, within 1 % and 1 ms.
    pub(super) fn buckets(&self) -> Vec<HistogramBucket> {
        let max = self.max().unwrap_or_default();
        let recorded = self.histogram.iter_recorded().map(|it| HistogramBucket {
            up_to: Duration::from_millis(it.value_iterated_to()).min(max),
            count: it.count_since_last_iteration(),
        });
        recorded.collect()
    }
}

/// Rounded up: a sample never counts as shorter.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn sketch(samples: &[u64]) -> Sketch {
        let mut sketch = Sketch::new();
        for sample in samples {
            sketch.record(ms(*sample));
        }
        sketch
    }

    #[test]
    fn without_samples_nothing_is_known() {
        let sketch = Sketch::new();
        assert_eq!((sketch.quantile(0.5), sketch.max(), sketch.len()), (None, None, 0));
        assert_eq!(sketch.buckets(), []);
    }

    #[rstest]
    #[case::of_nothing(0.0, 10)]
    #[case::below_zero(-1.0, 10)]
    #[case::not_a_number(f64::NAN, 10)]
    #[case::half(0.5, 20)]
    #[case::all(1.0, 40)]
    #[case::more_than_all(7.0, 40)]
    fn any_quantile_is_a_sample(#[case] quantile: f64, #[case] expected: u64) {
        assert_eq!(sketch(&[40, 10, 30, 20]).quantile(quantile), Some(ms(expected)));
    }

    #[test]
    fn part_of_a_millisecond_counts_as_a_whole_one_or_as_the_longest() {
        let mut sketch = Sketch::new();
        sketch.record(Duration::from_micros(1100));
        assert_eq!(sketch.quantile(0.5), Some(Duration::from_micros(1100)));
        sketch.record(ms(10));
        assert_eq!(sketch.quantile(0.5), Some(ms(2)));
    }

    #[test]
    fn a_sample_beyond_the_bound_counts_as_the_bound() {
        let mut sketch = Sketch::new();
        sketch.record(Duration::MAX);
        assert_eq!((sketch.quantile(0.99), sketch.max()), (Some(LONGEST), Some(LONGEST)));
        assert_eq!(sketch.buckets().iter().map(|bucket| bucket.count).sum::<u64>(), 1);
    }

    #[rstest]
    #[case::one(&[1], &[(1, 1)])]
    #[case::nothing_took_any_time(&[0], &[(0, 1)])]
    #[case::short_ones_are_exact(&[3, 21, 21], &[(3, 1), (21, 2)])]
    #[case::long_ones_within_one_percent(&[7000, 2839, 7001], &[(2847, 1), (7001, 2)])]
    fn a_bucket_holds_samples_that_took_about_as_long(
        #[case] samples: &[u64],
        #[case] expected: &[(u64, u64)],
    ) {
        let found = sketch(samples).buckets();
        let found: Vec<_> = found.iter().map(|it| (it.up_to, it.count)).collect();
        let expected: Vec<_> = expected.iter().map(|(up_to, count)| (ms(*up_to), *count)).collect();
        assert_eq!(found, expected);
    }
}
