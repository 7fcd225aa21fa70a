//! Times of a report as people read them. What was measured is rounded up, and never shorter.

use std::time::Duration;

use crate::units::Seconds;

/// Whole milliseconds, rounded up.
pub(super) const fn milliseconds(time: Duration) -> i128 {
    // A Duration has fewer than 2^96 nanoseconds.
    time.as_nanos().div_ceil(1_000_000) as i128
}

/// For people: `0.153 s`.
pub(super) fn seconds(milliseconds: i128) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let size = milliseconds.unsigned_abs();
    format!("{sign}{}.{:03} s", size / 1000, size % 1000)
}

/// The same of a time that there may not be.
pub(super) fn seconds_or_dash(time: Option<Duration>) -> String {
    time.map_or("-".to_owned(), |time| seconds(milliseconds(time)))
}

/// A longer time, in whole seconds: `1m12s`.
pub(super) fn span(time: Duration) -> String {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    Seconds::<0, { u32::MAX }>::clamped(seconds).to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::zero(Duration::ZERO, "0.000 s")]
    #[case::a_nanosecond(Duration::from_nanos(1), "0.001 s")]
    #[case::a_whole_millisecond(Duration::from_millis(153), "0.153 s")]
    #[case::a_bit_more(Duration::from_micros(153_001), "0.154 s")]
    #[case::minutes(Duration::from_millis(61_500), "61.500 s")]
    #[case::the_longest(Duration::MAX, "18446744073709551616.000 s")]
    fn a_time_is_rounded_up(#[case] time: Duration, #[case] expected: &str) {
        assert_eq!(seconds(milliseconds(time)), expected);
    }

    #[test]
    fn a_negative_time_has_a_sign() {
        assert_eq!(seconds(-12), "-0.012 s");
        assert_eq!(seconds(-2012), "-2.012 s");
    }
}
