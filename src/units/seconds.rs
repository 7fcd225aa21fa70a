//! A bounded number of seconds.

use std::{fmt, str::FromStr, time::Duration};

use super::grammar;

/// A whole number of seconds from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Seconds<MIN, MAX> {
    /// The smallest value.
    pub const MIN: Self = Self(MIN);
    /// The largest value.
    pub const MAX: Self = Self(MAX);

    /// `seconds`, or the nearest value in the range.
    pub const fn clamped(seconds: u32) -> Self {
        Self(if seconds < MIN {
            MIN
        } else if seconds > MAX {
            MAX
        } else {
            seconds
        })
    }

    /// The number of seconds.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same as a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// The text is not a time from `MIN` to `MAX` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time from {} to {}, such as {}", Seconds::<MIN, MAX>::MIN, Seconds::<MIN, MAX>::MAX, examples(MAX))]
pub struct ParseSecondsError<const MIN: u32, const MAX: u32> {
    /// On which side of the range the time is. `None` if the text is not a time at all.
    pub out_of_range: Option<OutOfRange>,
}

/// A side of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfRange {
    /// Below the smallest value.
    Below,
    /// Above the largest value.
    Above,
}

/// Examples for a range that ends at `max` seconds.
const fn examples(max: u32) -> &'static str {
    const DAY: u32 = 24 * 3600;
    match max {
        ..DAY => "15, 90s or 1m30s",
        DAY => "90s, 10m or 12h",
        _ => "30s, 12h or 90d",
    }
}

impl<const MIN: u32, const MAX: u32> FromStr for Seconds<MIN, MAX> {
    type Err = ParseSecondsError<MIN, MAX>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |out_of_range| ParseSecondsError { out_of_range };
        let seconds = grammar::parse(text.trim()).ok_or(error(None))?;
        match u32::try_from(seconds) {
            Ok(seconds) if seconds < MIN => Err(error(Some(OutOfRange::Below))),
            Ok(seconds) if seconds <= MAX => Ok(Self(seconds)),
            _ => Err(error(Some(OutOfRange::Above))),
        }
    }
}

/// The largest units that fit: `5s`, `1m30s`, `2h`, `90d`.
impl<const MIN: u32, const MAX: u32> fmt::Display for Seconds<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        grammar::write(f, self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{
        super::{Delay, Lifetime, MeasureTime},
        OutOfRange::{Above, Below},
        *,
    };

    const DAY: u32 = 24 * 3600;

    #[rstest]
    #[case::bare("15", 15, "15s")]
    #[case::with_unit("15s", 15, "15s")]
    #[case::zero("0", 0, "0s")]
    #[case::zero_with_unit("0s", 0, "0s")]
    #[case::minutes("2m", 120, "2m")]
    #[case::minutes_and_seconds("1m30s", 90, "1m30s")]
    #[case::seconds_only("90s", 90, "1m30s")]
    #[case::more_than_a_minute_of_seconds("1m90s", 150, "2m30s")]
    #[case::hours("1h", 3600, "1h")]
    #[case::a_unit_left_out("0h5s", 5, "5s")]
    #[case::the_maximum("3600", 3600, "1h")]
    #[case::leading_zeros("0005", 5, "5s")]
    #[case::white_space_around(" 7s\n", 7, "7s")]
    fn a_delay_is_read(#[case] text: &str, #[case] seconds: u32, #[case] shown: &str) {
        let delay = text.parse::<Delay>();
        assert_eq!(delay, Ok(Delay::clamped(seconds)), "{text:?}");
        assert_eq!(delay.unwrap().to_string(), shown, "{text:?}");
    }

    #[rstest]
    #[case::days("90d", 90 * DAY, "90d")]
    #[case::bare("90", 90, "1m30s")]
    #[case::hours("12h", DAY / 2, "12h")]
    #[case::minutes("5m", 300, "5m")]
    #[case::seconds("30s", 30, "30s")]
    #[case::all_units("1d2h3m4s", DAY + 7384, "1d2h3m4s")]
    #[case::days_and_seconds("1d1s", DAY + 1, "1d1s")]
    #[case::shown_in_the_largest_unit("7200s", 7200, "2h")]
    #[case::the_shortest("1s", 1, "1s")]
    #[case::the_longest("36500d", 36500 * DAY, "36500d")]
    #[case::white_space_around(" 1d\n", DAY, "1d")]
    fn a_lifetime_is_read(#[case] text: &str, #[case] seconds: u32, #[case] shown: &str) {
        let lifetime = text.parse::<Lifetime>();
        assert_eq!(lifetime, Ok(Lifetime::clamped(seconds)), "{text:?}");
        assert_eq!(lifetime.unwrap().to_string(), shown, "{text:?}");
    }

    #[rstest]
    #[case::empty("")]
    #[case::unit_alone("s")]
    #[case::minute_alone("m")]
    #[case::word("soon")]
    #[case::negative("-5")]
    #[case::signed("+5")]
    #[case::fraction("1.5s")]
    #[case::exponent("1e2")]
    #[case::hexadecimal("0x10")]
    #[case::milliseconds("500ms")]
    #[case::another_unit("1y")]
    #[case::unit_in_capitals("5S")]
    #[case::unit_missing_after_minutes("1m30")]
    #[case::smaller_unit_first("30s1m")]
    #[case::a_unit_twice("1m1m")]
    #[case::inner_space("5 s")]
    #[case::other_digits("٥")]
    #[case::a_letter_of_two_bytes("5é")]
    fn is_malformed(#[case] text: &str) {
        let expected = ParseSecondsError { out_of_range: None };
        assert_eq!(text.parse::<Delay>(), Err(expected), "{text:?}");
    }

    #[rstest]
    #[case::one_too_many("3601")]
    #[case::minutes("60m1s")]
    #[case::larger_than_u64("99999999999999999999999")]
    #[case::minutes_larger_than_u64("99999999999999999999999m")]
    #[case::a_sum_larger_than_u64("18446744073709551615m18446744073709551615s")]
    fn is_above_the_maximum(#[case] text: &str) {
        let expected = ParseSecondsError { out_of_range: Some(Above) };
        assert_eq!(text.parse::<Delay>(), Err(expected), "{text:?}");
    }

    #[rstest]
    #[case::zero("0s", Below)]
    #[case::too_long("36501d", Above)]
    #[case::larger_than_u64("99999999999999999999999s", Above)]
    fn a_lifetime_has_both_bounds(#[case] text: &str, #[case] side: OutOfRange) {
        let expected = ParseSecondsError { out_of_range: Some(side) };
        assert_eq!(text.parse::<Lifetime>(), Err(expected), "{text:?}");
    }

    #[test]
    fn an_error_names_the_range_and_examples_in_it() {
        let error = "soon".parse::<Delay>().unwrap_err().to_string();
        assert_eq!(error, "expected a time from 0s to 1h, such as 15, 90s or 1m30s");
        let error = "0".parse::<MeasureTime>().unwrap_err().to_string();
        assert_eq!(error, "expected a time from 1s to 1d, such as 90s, 10m or 12h");
        let error = "0".parse::<Lifetime>().unwrap_err().to_string();
        assert_eq!(error, "expected a time from 1s to 36500d, such as 30s, 12h or 90d");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(seconds in 1..=36500 * DAY) {
            let lifetime = Lifetime::clamped(seconds);
            prop_assert_eq!(lifetime.to_string().parse(), Ok(lifetime));
        }

        #[test]
        fn no_text_is_a_panic(text in "\\PC*") {
            let _ = text.parse::<Lifetime>();
        }
    }
}
