//! The text of the ConfigMap that keeps the automatic delay.

use std::{collections::BTreeMap, time::Duration};

use super::delay_range::DelayRange;
use crate::{
    constants::{MAX_RECORD_VALUE_BYTES, MAX_SAMPLE},
    units::Delay,
};

const DELAY: &str = "delay";
const MEASURED: &str = "measured";
const SAMPLES: &str = "samples";
const UPDATED: &str = "updated";
const PIN: &str = "pin";

/// What the ConfigMap says. Each entry may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelayRecord {
    /// The delay that follows from the samples.
    pub delay: Option<Delay>,
    /// The quantile that it follows from.
    pub measured: Option<Duration>,
    /// How many samples there were.
    pub samples: Option<u64>,
    /// When it was written, as a date that is not read.
    pub updated: Option<String>,
    /// The delay that a person has written, which wins. Never written by the webhook.
    pub pin: Option<Delay>,
}

/// A value of the ConfigMap that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value:?}: {fault}")]
pub struct DelayRecordProblem {
    /// The key.
    pub key: &'static str,
    /// The value, or its beginning.
    pub value: String,
    /// What is wrong, and what is accepted.
    pub fault: String,
}

impl DelayRecord {
    /// Reads the data of the ConfigMap. A bad value counts as a missing one. A delay outside of `range`
    /// counts as the nearest one in it, and is a problem only where a person has written it.
    pub fn parse(
        data: &BTreeMap<String, String>,
        range: DelayRange,
    ) -> (Self, Vec<DelayRecordProblem>) {
        let mut entries = RecordEntries { data, problems: Vec::new() };
        let delay = |value: &str| value.parse::<Delay>().map_err(|error| error.to_string());
        let pin = entries.read(PIN, delay);
        if let Some(pin) = pin
            && range.clamp(pin) != pin
        {
            let used = range.clamp(pin);
            entries.add(PIN, format!("expected a time from {range}, and {used} is in force"));
        }
        let record = Self {
            delay: entries.read(DELAY, delay).map(|delay| range.clamp(delay)),
            measured: entries.read(MEASURED, |value| {
                let expected =
                    || format!("expected a time from 0s to {MAX_SAMPLE}s, such as 5.612s");
                seconds(value).ok_or_else(expected)
            }),
            samples: entries.read(SAMPLES, |value| {
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let number = value.parse().ok().filter(|_| is_number);
                number.ok_or_else(|| format!("expected a whole number from 0 to {}", u64::MAX))
            }),
            updated: entries.read(UPDATED, |value| {
                let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic());
                let expected = "expected a date without spaces, such as 2026-01-31T12:00:00Z";
                is_plain.then(|| value.to_owned()).ok_or_else(|| expected.to_owned())
            }),
            pin: pin.map(|pin| range.clamp(pin)),
        };
        (record, entries.problems)
    }

    /// The delay in force, if the ConfigMap says one.
    pub fn in_force(&self) -> Option<Delay> {
        self.pin.or(self.delay)
    }

    /// How long a sleep has to be in whole seconds, by what was measured.
    pub fn needed(&self) -> Option<u32> {
        let measured = self.measured?.as_secs_f64().ceil();
        // At most an hour, by the bound of a sample.
        Some(measured as u32)
    }

    /// What the webhook writes: all but the pin.
    pub fn write(&self) -> BTreeMap<String, String> {
        let entries = [
            (DELAY, self.delay.map(|delay| delay.to_string())),
            (MEASURED, self.measured.map(written)),
            (SAMPLES, self.samples.map(|samples| samples.to_string())),
            (UPDATED, self.updated.clone()),
        ];
        let present = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        present.collect()
    }
}

/// The entries of the ConfigMap, and what is wrong with them.
struct RecordEntries<'d> {
    data: &'d BTreeMap<String, String>,
    problems: Vec<DelayRecordProblem>,
}

impl RecordEntries<'_> {
    fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.data.get(key)?.trim();
        let parsed = match value.len() {
            ..=MAX_RECORD_VALUE_BYTES => parse(value),
            _ => Err(format!("expected at most {MAX_RECORD_VALUE_BYTES} bytes")),
        };
        parsed.map_err(|fault| self.add(key, fault)).ok()
    }

    fn add(&mut self, key: &'static str, fault: String) {
        let value = self.data.get(key).map_or("", |value| value.trim());
        let value = value.chars().take(MAX_RECORD_VALUE_BYTES).collect();
        self.problems.push(DelayRecordProblem { key, value, fault });
    }
}

/// Reads `5.612s` or `5.612`.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().ok())?
    };
    let milliseconds =
        number(&format!("{fraction:0<3}")).filter(|_| (1..=3).contains(&fraction.len()))?;
    let time = Duration::from_secs(number(whole)?) + Duration::from_millis(milliseconds);
    (time <= Duration::from_secs(MAX_SAMPLE.into())).then_some(time)
}

/// Writes seconds with milliseconds, rounded up.
fn written(time: Duration) -> String {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    format!("{}.{:03}s", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const RANGE: DelayRange = DelayRange { min: Delay::clamped(5), max: Delay::clamped(20) };

    fn parse(entries: &[(&str, &str)]) -> (DelayRecord, Vec<String>) {
        let data = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let (record, problems) = DelayRecord::parse(&data.collect(), RANGE);
        (record, problems.iter().map(ToString::to_string).collect())
    }

    fn record() -> DelayRecord {
        DelayRecord {
            delay: Some(Delay::clamped(9)),
            measured: Some(Duration::from_millis(5612)),
            samples: Some(40),
            updated: Some("2026-01-31T12:00:00Z".to_owned()),
            pin: None,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = record().write();
        let expected = [
            ("delay", "9s"),
            ("measured", "5.612s"),
            ("samples", "40"),
            ("updated", "2026-01-31T12:00:00Z"),
        ];
        assert_eq!(text, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(DelayRecord::parse(&text, RANGE), (record(), Vec::new()));
    }

    #[test]
    fn a_pin_is_never_written() {
        let pinned = DelayRecord { pin: Some(Delay::clamped(7)), ..record() };
        assert_eq!(pinned.write(), record().write());
        assert_eq!(DelayRecord::default().write(), BTreeMap::new());
    }

    #[rstest]
    #[case::nothing(&[], None)]
    #[case::a_delay(&[("delay", "9s")], Some(9))]
    #[case::a_pin_wins(&[("delay", "9s"), ("pin", "7")], Some(7))]
    #[case::a_longer_pin_wins(&[("delay", "9s"), ("pin", " 12s\n")], Some(12))]
    #[case::a_delay_of_another_range(&[("delay", "1m")], Some(20))]
    #[case::what_others_write(&[("delay", "9s"), ("note", "by hand")], Some(9))]
    #[case::measured_in_whole_seconds(&[("delay", "9s"), ("measured", "5")], Some(9))]
    fn the_delay_in_force(#[case] entries: &[(&str, &str)], #[case] expected: Option<u32>) {
        let (record, problems) = parse(entries);
        assert_eq!(record.in_force(), expected.map(Delay::clamped), "{entries:?}");
        assert_eq!(problems, [""; 0], "{entries:?}");
    }

    const TIME: &str = "expected a time from 0s to 1h, such as 15, 90s or 1m30s";
    const MEASURED: &str = "expected a time from 0s to 3600s, such as 5.612s";
    const NUMBER: &str = "expected a whole number from 0 to 18446744073709551615";
    const DATE: &str = "expected a date without spaces, such as 2026-01-31T12:00:00Z";
    const LONG: &str = "expected at most 64 bytes";

    #[rstest]
    #[case::a_word("pin", "soon", TIME)]
    #[case::nothing("pin", "", TIME)]
    #[case::too_long("pin", "2h", TIME)]
    #[case::a_negative_delay("delay", "-5s", TIME)]
    #[case::a_fraction("delay", "5.5s", TIME)]
    #[case::measured_too_long("measured", "3600.001s", MEASURED)]
    #[case::measured_beyond_all_bounds("measured", "18446744073709551616s", MEASURED)]
    #[case::measured_as_the_longest_number("measured", "18446744073709551615s", MEASURED)]
    #[case::measured_not_a_number("measured", "nan", MEASURED)]
    #[case::measured_without_end("measured", "inf", MEASURED)]
    #[case::measured_with_an_exponent("measured", "1e3", MEASURED)]
    #[case::measured_too_exactly("measured", "5.6123s", MEASURED)]
    #[case::measured_without_a_number("measured", ".5s", MEASURED)]
    #[case::measured_without_a_fraction("measured", "5.s", MEASURED)]
    #[case::samples_below_zero("samples", "-1", NUMBER)]
    #[case::samples_with_a_sign("samples", "+1", NUMBER)]
    #[case::too_many_samples("samples", "18446744073709551616", NUMBER)]
    #[case::no_date("updated", "to day", DATE)]
    #[case::lines_in_a_date("updated", "2026\n01", DATE)]
    fn a_bad_value_counts_as_missing(
        #[case] key: &str,
        #[case] value: &str,
        #[case] expected: &str,
    ) {
        let (record, problems) = parse(&[(key, value)]);
        assert_eq!(record, DelayRecord::default());
        assert_eq!(problems, [format!("{key} is {value:?}: {expected}")]);
    }

    #[rstest]
    #[case::delay("delay")]
    #[case::measured("measured")]
    #[case::samples("samples")]
    #[case::updated("updated")]
    #[case::pin("pin")]
    fn a_long_value_is_not_read(#[case] key: &str) {
        let (record, problems) = parse(&[(key, &"7".repeat(100_000))]);
        assert_eq!(record, DelayRecord::default());
        let beginning = "7".repeat(MAX_RECORD_VALUE_BYTES);
        assert_eq!(problems, [format!("{key} is {beginning:?}: {LONG}")]);
    }

    #[rstest]
    #[case::below("2s", 5)]
    #[case::above("1m", 20)]
    fn a_pin_outside_of_the_range_is_told(#[case] pin: &str, #[case] used: u32) {
        let (record, problems) = parse(&[("pin", pin)]);
        assert_eq!(record.in_force(), Some(Delay::clamped(used)));
        let fault = format!("expected a time from 5s to 20s, and {used}s is in force");
        assert_eq!(problems, [format!("pin is {pin:?}: {fault}")]);
    }

    proptest! {
        #[test]
        fn any_record_is_read_as_it_was_written(
            delay in 5..=20u32,
            measured in 0..=3_600_000u64,
            samples: u64,
        ) {
            let record = DelayRecord {
                delay: Some(Delay::clamped(delay)),
                measured: Some(Duration::from_millis(measured)),
                samples: Some(samples),
                ..record()
            };
            prop_assert_eq!(DelayRecord::parse(&record.write(), RANGE), (record, Vec::new()));
        }

        #[test]
        fn no_text_is_a_panic(entries in prop::collection::btree_map(
            prop::sample::select(vec!["delay", "measured", "samples", "updated", "pin"]),
            "\\PC*|[0-9.smhd]*",
            0..5,
        )) {
            let data = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let (record, _) = DelayRecord::parse(&data, RANGE);
            let delay = record.in_force();
            prop_assert!(delay.is_none_or(|delay| RANGE.clamp(delay) == delay), "{delay:?}");
        }
    }
}
