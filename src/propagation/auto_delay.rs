//! Which delay follows from how long departures take.

use std::{fmt, time::Duration};

use strum::{IntoStaticStr, VariantArray};

use super::{delay_range::DelayRange, delay_record::DelayRecord, samples::Samples};
use crate::{
    constants::{
        AUTO_DELAY_FALL_SHARE, AUTO_DELAY_MARGIN, AUTO_DELAY_WINDOW, DEFAULT_AUTO_DELAY_FACTOR,
        DEFAULT_AUTO_DELAY_MAX, DEFAULT_AUTO_DELAY_MIN, DEFAULT_AUTO_DELAY_QUANTILE, DEFAULT_DELAY,
    },
    units::Delay,
};

/// How a delay follows from samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoDelaySettings {
    /// Between which bounds the delay stays.
    pub range: DelayRange,
    /// The delay without samples.
    pub default: Delay,
    /// Which quantile of the samples counts.
    pub quantile: f64,
    /// What it is multiplied with. Below 1 counts as 1.
    pub factor: f64,
    /// For how long a sample counts, and how long the delay has to be longer than needed before it
    /// falls.
    pub window: Duration,
}

impl Default for AutoDelaySettings {
    fn default() -> Self {
        Self {
            range: DelayRange {
                min: Delay::clamped(DEFAULT_AUTO_DELAY_MIN),
                max: Delay::clamped(DEFAULT_AUTO_DELAY_MAX),
            },
            default: Delay::clamped(DEFAULT_DELAY),
            quantile: DEFAULT_AUTO_DELAY_QUANTILE,
            factor: DEFAULT_AUTO_DELAY_FACTOR,
            window: AUTO_DELAY_WINDOW,
        }
    }
}

impl AutoDelaySettings {
    /// The delay that is needed where the quantile of the samples is `measured`.
    pub fn needed(&self, measured: Duration) -> Delay {
        let product = (measured.as_secs_f64() * self.factor.max(1.0)).ceil();
        let seconds = (product + AUTO_DELAY_MARGIN.as_secs_f64()).ceil();
        // Whatever a `u32` cannot hold becomes the nearest one.
        self.range.clamp(Delay::clamped(seconds as u32))
    }

    /// Whether a departure took longer than any delay that may follow: an outage of the ingress
    /// controller, and no sample.
    pub fn is_outlier(&self, took: Duration) -> bool {
        took > self.range.max.duration()
    }
}

/// The delay that follows from how long departures take.
///
/// It rises at once when more is needed. It falls when less has been needed for a whole window, by a
/// quarter or a second at most, and then not before another window is over. So in each window it falls
/// once, and rises by no more than its range and that fall together.
#[derive(Debug)]
pub struct AutoDelay {
    settings: AutoDelaySettings,
    samples: Samples,
    /// What follows from the samples. `None` before anything does.
    delay: Option<Delay>,
    pin: Option<Delay>,
    /// Since when it has been longer than needed.
    longer_since: Option<Duration>,
    /// What was recorded earlier, as long as there is no sample to replace it.
    earlier: DelayRecord,
}

/// Another delay is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayChange {
    /// The delay before.
    pub from: Delay,
    /// The delay from now on.
    pub to: Delay,
    /// Why.
    pub cause: DelayChangeCause,
    /// The quantile of the samples, if there are any.
    pub measured: Option<Duration>,
    /// How many samples there are.
    pub samples: u64,
}

/// Why another delay is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DelayChangeCause {
    /// More is needed.
    Rise,
    /// Less has been needed for a whole window.
    Fall,
    /// A person has pinned it.
    Pin,
    /// A person has removed the pin.
    Unpin,
}

impl DelayChangeCause {
    /// Its name in metrics, logs and Events.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl AutoDelay {
    /// The default, without samples.
    pub fn new(settings: AutoDelaySettings) -> Self {
        Self::restored(settings, &DelayRecord::default())
    }

    /// As it was recorded. The samples are not: it falls no sooner than a window from now.
    pub fn restored(settings: AutoDelaySettings, record: &DelayRecord) -> Self {
        Self {
            settings,
            samples: Samples::new(settings.window),
            delay: record.delay.map(|delay| settings.range.clamp(delay)),
            pin: record.pin.map(|pin| settings.range.clamp(pin)),
            longer_since: None,
            earlier: record.clone(),
        }
    }

    /// The delay in force.
    pub fn delay(&self) -> Delay {
        self.pin.unwrap_or(self.without_pin())
    }

    fn without_pin(&self) -> Delay {
        self.delay.unwrap_or(self.settings.range.clamp(self.settings.default))
    }

    /// Every gateway has dropped a Pod so long after it left.
    pub fn observe(&mut self, took: Duration, now: Duration) -> Option<DelayChange> {
        if !self.settings.is_outlier(took) {
            self.samples.record(took, now);
            self.earlier = DelayRecord::default();
        }
        self.update(now)
    }

    /// Time has passed.
    pub fn update(&mut self, now: Duration) -> Option<DelayChange> {
        self.samples.forget(now);
        let from = self.delay();
        let Some(measured) = self.measured() else {
            // Without samples nobody knows what is needed.
            self.longer_since = None;
            return None;
        };
        let needed = self.settings.needed(measured);
        let delay = self.without_pin();
        let cause = if needed >= delay {
            self.delay = Some(needed);
            self.longer_since = None;
            DelayChangeCause::Rise
        } else {
            let since = *self.longer_since.get_or_insert(now);
            if now.saturating_sub(since) >= self.settings.window {
                let fall = (delay.get() / AUTO_DELAY_FALL_SHARE).max(1);
                self.delay = Some(needed.max(Delay::clamped(delay.get().saturating_sub(fall))));
                self.longer_since = Some(now);
            }
            DelayChangeCause::Fall
        };
        self.change(from, cause)
    }

    /// What a person has pinned it to, if they have.
    pub fn pin(&mut self, pin: Option<Delay>) -> Option<DelayChange> {
        let from = self.delay();
        self.pin = pin.map(|pin| self.settings.range.clamp(pin));
        let cause = if pin.is_some() { DelayChangeCause::Pin } else { DelayChangeCause::Unpin };
        self.change(from, cause)
    }

    /// The quantile of the samples that counts.
    pub fn measured(&self) -> Option<Duration> {
        self.samples.quantile(self.settings.quantile)
    }

    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.samples.len()
    }

    /// What is kept of it. `updated` is the date.
    pub fn record(&self, updated: String) -> DelayRecord {
        let samples = Some(self.samples.len());
        DelayRecord {
            delay: self.delay,
            measured: self.measured().or(self.earlier.measured),
            samples: self.earlier.samples.or(samples),
            updated: Some(updated),
            pin: self.pin,
        }
    }

    fn change(&self, from: Delay, cause: DelayChangeCause) -> Option<DelayChange> {
        let to = self.delay();
        let change = || DelayChange {
            from,
            to,
            cause,
            measured: self.measured(),
            samples: self.samples.len(),
        };
        (to != from).then(change)
    }
}

/// `the delay rises from 5s to 9s: Pods are dropped within 5.6 s (40 samples)`.
impl fmt::Display for DelayChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, cause, measured, samples } = self;
        match cause {
            DelayChangeCause::Rise => write!(f, "the delay rises from {from} to {to}")?,
            DelayChangeCause::Fall => write!(f, "the delay falls from {from} to {to}")?,
            DelayChangeCause::Pin => return write!(f, "the delay is pinned to {to}, after {from}"),
            DelayChangeCause::Unpin => {
                return write!(f, "the delay is {to}, after {from}: it is no longer pinned");
            }
        }
        let Some(measured) = measured else { return Ok(()) };
        let plural = if *samples == 1 { "" } else { "s" };
        let seconds = measured.as_secs_f64();
        write!(f, ": Pods are dropped within {seconds:.1} s ({samples} sample{plural})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(24 * 3600);
    const HOUR: Duration = Duration::from_secs(3600);

    fn settings(min: u32, max: u32, factor: f64) -> AutoDelaySettings {
        let range = DelayRange { min: Delay::clamped(min), max: Delay::clamped(max) };
        AutoDelaySettings { range, factor, ..AutoDelaySettings::default() }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn s(seconds: u32) -> Delay {
        Delay::clamped(seconds)
    }

    #[rstest]
    #[case::nothing(0, 1.25, 5)]
    #[case::below_the_shortest(200, 1.25, 5)]
    #[case::just_the_shortest(3200, 1.25, 5)]
    #[case::a_bit_more(3201, 1.25, 6)]
    #[case::seven_seconds(7000, 1.25, 10)]
    #[case::without_a_factor(7000, 1.0, 8)]
    #[case::a_factor_below_one(7000, 0.1, 8)]
    #[case::a_factor_that_is_no_number(7000, f64::NAN, 8)]
    #[case::a_factor_without_end(7000, f64::INFINITY, 20)]
    #[case::nothing_without_end(0, f64::INFINITY, 5)]
    #[case::the_longest(15_200, 1.25, 20)]
    #[case::above_the_longest(19_000, 1.25, 20)]
    #[case::far_above(3_600_000, 1.25, 20)]
    fn the_delay_that_is_needed(#[case] measured: u64, #[case] factor: f64, #[case] delay: u32) {
        let needed = settings(5, 20, factor).needed(ms(measured));
        assert_eq!(needed, s(delay), "{measured} ms × {factor}");
    }

    #[rstest]
    #[case::in_the_range(5, 20, 5)]
    #[case::below(8, 20, 8)]
    #[case::above(1, 3, 3)]
    fn without_samples_it_is_the_default(#[case] min: u32, #[case] max: u32, #[case] delay: u32) {
        let mut auto = AutoDelay::new(settings(min, max, 1.25));
        assert_eq!(auto.update(100 * WINDOW), None);
        assert_eq!(auto.delay(), s(delay));
        assert_eq!(auto.measured(), None);
    }

    #[test]
    fn it_rises_at_once() {
        let mut auto = AutoDelay::new(settings(5, 20, 1.25));
        assert_eq!(auto.observe(ms(100), HOUR), None);
        let change = auto.observe(ms(7000), HOUR).unwrap();
        let measured = Some(ms(7000));
        let cause = DelayChangeCause::Rise;
        assert_eq!(change, DelayChange { from: s(5), to: s(10), cause, measured, samples: 2 });
        let text = "the delay rises from 5s to 10s: Pods are dropped within 7.0 s (2 samples)";
        assert_eq!(change.to_string(), text);
    }

    #[test]
    fn it_falls_slowly_and_only_after_a_full_window() {
        let mut auto = AutoDelay::new(settings(5, 20, 1.25));
        let mut changes = Vec::new();
        changes.extend(auto.observe(ms(14_000), Duration::ZERO));
        for hour in 1..24 * 10 {
            let change = auto.observe(ms(100), hour * HOUR);
            changes.extend(change.inspect(|_| assert!(hour >= 24, "{change:?} after {hour} h")));
        }
        // The one long sample counts for a window and a part, and less is needed for another window.
        let delays: Vec<_> = changes.iter().map(|change| change.to.get()).collect();
        assert_eq!(delays, [19, 15, 12, 9, 7, 6, 5], "{changes:?}");
        let text = "the delay falls from 19s to 15s: Pods are dropped within 0.1 s (25 samples)";
        assert_eq!(changes[1].to_string(), text);
    }

    #[test]
    fn it_does_not_fall_without_samples() {
        let mut auto = AutoDelay::new(settings(5, 20, 1.25));
        auto.observe(ms(14_000), Duration::ZERO);
        for hour in 1..1000 {
            assert_eq!(auto.update(hour * HOUR), None, "after {hour} h");
        }
    }

    #[test]
    fn an_outage_is_no_sample() {
        let mut auto = AutoDelay::new(settings(5, 20, 1.25));
        assert_eq!(auto.observe(ms(20_001), HOUR), None);
        assert_eq!(auto.observe(Duration::MAX, HOUR), None);
        assert_eq!((auto.samples(), auto.measured(), auto.delay()), (0, None, s(5)));
        assert_eq!(auto.observe(ms(20_000), HOUR).unwrap().to, s(20));
    }

    #[rstest]
    #[case::in_the_range(7, 7)]
    #[case::below(1, 5)]
    #[case::above(3600, 20)]
    fn a_pin_wins_and_is_clamped(#[case] pin: u32, #[case] delay: u32) {
        let mut auto = AutoDelay::new(settings(5, 20, 1.25));
        auto.observe(ms(7000), HOUR);
        let change = auto.pin(Some(s(pin))).unwrap();
        assert_eq!((change.to, change.cause), (s(delay), DelayChangeCause::Pin));
        assert_eq!(change.to_string(), format!("the delay is pinned to {delay}s, after 10s"));
        assert_eq!(auto.observe(ms(14_000), HOUR), None, "the delay in force is the same");
        assert_eq!(auto.delay(), s(delay));
        let text = format!("the delay is 19s, after {delay}s: it is no longer pinned");
        assert_eq!(auto.pin(None).unwrap().to_string(), text);
        assert_eq!(auto.pin(None), None);
    }

    #[test]
    fn a_pin_changes_nothing_else_of_the_record() {
        let new = AutoDelay::new(settings(5, 20, 1.25)).record(String::new());
        assert_eq!((new.delay, new.measured, new.samples), (None, None, Some(0)), "{new:?}");
        let record = DelayRecord {
            delay: Some(s(10)),
            measured: Some(ms(7000)),
            samples: Some(40),
            ..DelayRecord::default()
        };
        let mut auto = AutoDelay::restored(settings(5, 20, 1.25), &record);
        auto.pin(Some(s(7)));
        let pinned = DelayRecord { pin: Some(s(7)), ..record.clone() };
        assert_eq!(
            auto.record(String::new()),
            DelayRecord { updated: Some(String::new()), ..pinned }
        );
        auto.pin(None);
        auto.observe(ms(100), HOUR);
        auto.update(HOUR + 2 * WINDOW);
        let later = auto.record(String::new());
        let expected = (Some(s(10)), None, Some(0));
        assert_eq!((later.delay, later.measured, later.samples), expected, "the sample is too old");
    }

    fn samples() -> impl Strategy<Value = Vec<(u64, u64)>> {
        // Seconds that pass, and milliseconds that the next departure takes.
        let took = prop_oneof![4 => 0..500u64, 3 => 0..12_000u64, 1 => 0..40_000u64];
        prop::collection::vec((0..40_000u64, took), 1..150)
    }

    fn any_settings() -> impl Strategy<Value = AutoDelaySettings> {
        (0..30u32, 0..60u32, 0.5..4.0f64)
            .prop_map(|(min, more, factor)| settings(min, min + more, factor))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_covers_what_was_measured_and_stays_in_its_range(
            settings in any_settings(),
            samples in samples(),
        ) {
            let (mut auto, mut now) = (AutoDelay::new(settings), Duration::ZERO);
            for (passed, took) in samples {
                now += Duration::from_secs(passed);
                let before = auto.delay();
                let change = auto.observe(ms(took), now);
                let delay = auto.delay();
                prop_assert_eq!(settings.range.clamp(delay), delay, "beyond {}", settings.range);
                if let Some(measured) = auto.measured() {
                    let covered = measured.mul_f64(settings.factor.max(1.0));
                    let covered = covered.min(settings.range.max.duration());
                    prop_assert!(delay.duration() >= covered, "{delay} is below {covered:?}");
                }
                prop_assert_eq!(change.map(|c| (c.from, c.to)), (delay != before).then_some((before, delay)));
            }
        }

        #[test]
        fn its_changes_are_bounded_in_each_window(
            settings in any_settings(),
            samples in samples(),
        ) {
            let (mut auto, mut now) = (AutoDelay::new(settings), Duration::ZERO);
            let mut changes = Vec::new();
            for (passed, took) in samples {
                now += Duration::from_secs(passed);
                changes.extend(auto.observe(ms(took), now).map(|change| (now, change)));
            }
            let range = u64::from(settings.range.max.get() - settings.range.min.get());
            for (index, (start, _)) in changes.iter().enumerate() {
                let in_window = changes[index..].iter().take_while(|(at, _)| *at < *start + WINDOW);
                let (mut falls, mut fallen, mut risen) = (0, 0, 0);
                for (_, DelayChange { from, to, .. }) in in_window {
                    if to < from {
                        falls += 1;
                        fallen += u64::from(from.get() - to.get());
                        prop_assert!(from.get() - to.get() <= (from.get() / 4).max(1));
                    } else {
                        risen += u64::from(to.get() - from.get());
                    }
                }
                prop_assert!(falls <= 1, "{falls} falls in a window: {changes:?}");
                prop_assert!(risen <= range + fallen, "{risen} s up in a window: {changes:?}");
            }
        }

        #[test]
        fn the_same_samples_again_and_again_change_it_at_most_once(
            settings in any_settings(),
            samples in prop::collection::vec(0..40_000u64, 1..30),
            pause in 1..24u32,
            start in 0..60u32,
        ) {
            let record = DelayRecord { delay: Some(s(start)), ..DelayRecord::default() };
            let mut auto = AutoDelay::restored(settings, &record);
            let start = auto.delay();
            let mut changes = Vec::new();
            for round in 0..200 {
                // All of them have to be known before one follows.
                for sample in &samples {
                    if !settings.is_outlier(ms(*sample)) {
                        auto.samples.record(ms(*sample), round * pause * HOUR);
                    }
                }
                changes.extend(auto.update(round * pause * HOUR));
            }
            let needed = auto.measured().map_or(start, |measured| settings.needed(measured));
            if needed >= start {
                prop_assert!(changes.len() <= 1, "{changes:?}");
                prop_assert_eq!(auto.delay(), needed);
            } else {
                prop_assert!(changes.iter().all(|change| change.to < change.from), "{changes:?}");
            }
        }

        #[test]
        fn it_is_restored_from_its_record(
            settings in any_settings(),
            samples in samples(),
            pin in prop::option::of(0..100u32),
        ) {
            let (mut auto, mut now) = (AutoDelay::new(settings), Duration::ZERO);
            for (passed, took) in samples {
                now += Duration::from_secs(passed);
                auto.observe(ms(took), now);
            }
            auto.pin(pin.map(s));
            let record = auto.record("2026-01-31T12:00:00Z".to_owned());
            let mut text = record.write();
            text.extend(record.pin.map(|pin| ("pin".to_owned(), pin.to_string())));
            let (read, problems) = DelayRecord::parse(&text, settings.range);
            prop_assert_eq!(problems, []);
            let mut restored = AutoDelay::restored(settings, &read);
            prop_assert_eq!(restored.delay(), auto.delay());
            auto.pin(None);
            restored.pin(None);
            prop_assert_eq!(restored.delay(), auto.delay(), "without the pin");
        }

        #[test]
        fn time_that_jumps_is_no_panic(
            steps in prop::collection::vec((any::<u64>(), any::<u64>()), 1..50),
        ) {
            let mut auto = AutoDelay::new(settings(5, 20, 1.25));
            for (now, took) in steps {
                auto.observe(Duration::from_millis(took), Duration::from_secs(now));
                auto.update(Duration::from_nanos(now));
            }
        }
    }
}
