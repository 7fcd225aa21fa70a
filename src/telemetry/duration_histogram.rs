//! A histogram of durations that is counted without a lock, which the library's own takes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// The upper bounds, in microseconds: from 10 µs to 10 ms, and 100 ms and 1 s for a machine in
/// distress. What is above the last counts too.
const BOUNDS: [u64; 12] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 100_000, 1_000_000];

/// A histogram of durations from microseconds to a second. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub(super) struct DurationHistogram(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl DurationHistogram {
    /// Counts one.
    pub(super) fn observe(&self, duration: Duration) {
        let bucket = BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < duration);
        self.0.buckets[bucket].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }
}

impl EncodeMetric for DurationHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.0.buckets.each_ref().map(|bucket| bucket.load(Relaxed));
        let bounds = BOUNDS.map(|bound| Duration::from_micros(bound).as_secs_f64());
        let buckets: Vec<_> = bounds.into_iter().chain([f64::INFINITY]).zip(counts).collect();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn each_duration_is_counted_in_its_bucket() {
        let histogram = DurationHistogram::default();
        let mut registry = Registry::default();
        registry.register("took_seconds", "Test", histogram.clone());
        for micros in [1, 10, 11, 1_000_000, 2_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        for line in [
            "took_seconds_bucket{le=\"0.00001\"} 2\n",
            "took_seconds_bucket{le=\"0.000025\"} 3\n",
            "took_seconds_bucket{le=\"0.1\"} 3\n",
            "took_seconds_bucket{le=\"1.0\"} 4\n",
            "took_seconds_bucket{le=\"+Inf\"} 5\n",
            "took_seconds_count 5\n",
            "took_seconds_sum 3.000022\n",
        ] {
            assert!(page.contains(line), "expected {line:?} in\n{page}");
        }
    }
}
