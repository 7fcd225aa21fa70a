//! How long departures took, over a sliding window.

use std::{collections::VecDeque, time::Duration};

use super::sketch::Sketch;
use crate::constants::WINDOW_PARTS;

/// How long departures took, over a sliding window.
///
/// No quantile is below that of the samples, and each is within 1 % and 1 ms of it. A sample counts for
/// the whole window, and for up to one part of it longer.
#[derive(Debug)]
pub struct Samples {
    /// How long a part of the window is, in nanoseconds.
    part: u128,
    /// The parts with samples, the oldest first.
    parts: VecDeque<WindowPart>,
    /// All parts together.
    all: Sketch,
}

#[derive(Debug)]
struct WindowPart {
    number: u128,
    sketch: Sketch,
}

impl Samples {
    /// No samples.
    pub fn new(window: Duration) -> Self {
        let part = window.as_nanos().div_ceil(WINDOW_PARTS.into()).max(1);
        Self { part, parts: VecDeque::new(), all: Sketch::new() }
    }

    /// A departure took so long. What is older than the window is forgotten.
    pub fn record(&mut self, took: Duration, now: Duration) {
        self.forget(now);
        self.all.record(took);
        let number = self.number(now);
        match self.parts.back_mut() {
            // Or time jumped back.
            Some(part) if part.number >= number => part.sketch.record(took),
            _ => {
                let mut sketch = Sketch::new();
                sketch.record(took);
                self.parts.push_back(WindowPart { number, sketch });
            }
        }
    }

    /// Forgets what is older than the window.
    pub fn forget(&mut self, now: Duration) {
        let number = self.number(now);
        let is_kept = |part: &WindowPart| part.number + u128::from(WINDOW_PARTS) >= number;
        if self.parts.front().is_none_or(is_kept) {
            return;
        }
        self.parts.retain(is_kept);
        self.all = Sketch::new();
        self.parts.iter().for_each(|part| self.all.add(&part.sketch));
    }

    /// How long such a part of the departures took at most.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        self.all.quantile(quantile)
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn number(&self, now: Duration) -> u128 {
        now.as_nanos() / self.part
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(240);
    const PART: Duration = Duration::from_secs(10);

    /// The smallest sample that is not below such a part of all.
    fn true_quantile(samples: &mut [Duration], quantile: f64) -> Option<Duration> {
        samples.sort();
        let rank = (quantile * samples.len() as f64).ceil() as usize;
        samples.get(rank.max(1) - 1).copied()
    }

    #[test]
    fn a_sample_counts_for_the_window_and_then_leaves() {
        let mut samples = Samples::new(WINDOW);
        samples.record(Duration::from_secs(7), Duration::from_secs(3));
        samples.forget(Duration::from_secs(3) + WINDOW);
        assert_eq!(samples.len(), 1, "it is as old as the window");
        samples.forget(Duration::from_secs(3) + WINDOW + PART);
        assert!(samples.is_empty(), "it is older by a part");
        assert_eq!(samples.quantile(0.99), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut samples = Samples::new(WINDOW);
        for second in 0..1000 {
            samples.record(Duration::from_secs(1), Duration::from_secs(second));
        }
        assert!(samples.parts.len() <= WINDOW_PARTS as usize + 1, "{}", samples.parts.len());
    }

    #[test]
    fn no_window_is_too_short_or_too_long() {
        for window in [Duration::ZERO, Duration::MAX] {
            let mut samples = Samples::new(window);
            samples.record(Duration::from_secs(1), Duration::MAX);
            samples.record(Duration::from_secs(1), Duration::ZERO);
            assert_eq!(samples.len(), 2, "a window of {window:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_quantile_is_never_below_the_samples_and_close_above(
            steps in prop::collection::vec((0..30_000u64, 0..300_000_000u64), 1..200),
            quantile in 0.01..=1.0f64,
        ) {
            let (mut samples, mut now, mut all) = (Samples::new(WINDOW), Duration::ZERO, Vec::new());
            for (passed, micros) in steps {
                now += Duration::from_millis(passed);
                let took = Duration::from_micros(micros);
                samples.record(took, now);
                all.push((now, took));
            }
            // What is between the window and a part more may count or not: here it does.
            let first = (now.as_secs() / 10).saturating_sub(u64::from(WINDOW_PARTS)) * 10;
            let kept = all.iter().filter(|(at, _)| at.as_secs() >= first);
            let mut kept: Vec<_> = kept.map(|(_, took)| *took).collect();
            prop_assert!(all.iter().filter(|(at, _)| *at + WINDOW >= now).count() <= kept.len());
            prop_assert_eq!(samples.len(), kept.len() as u64);
            let exact = true_quantile(&mut kept, quantile).unwrap();
            let found = samples.quantile(quantile).unwrap();
            prop_assert!(found >= exact, "{found:?} is below {exact:?}");
            let bound = exact.mul_f64(1.01) + Duration::from_millis(1);
            prop_assert!(found <= bound, "{found:?} is far above {exact:?}");
        }

        #[test]
        fn time_that_jumps_is_no_panic(
            steps in prop::collection::vec((any::<u64>(), any::<u64>()), 1..50),
        ) {
            let mut samples = Samples::new(WINDOW);
            for (now, took) in steps {
                samples.record(Duration::from_secs(took), Duration::from_secs(now));
                prop_assert!(samples.quantile(0.99).is_some());
                prop_assert!(samples.parts.len() <= WINDOW_PARTS as usize + 1);
            }
        }
    }
}
