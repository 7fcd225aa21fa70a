//! Whole seconds with an upper bound, as people write them.

use std::{fmt, str::FromStr};

use crate::constants::{MAX_DELAY, MAX_DRAIN, MAX_SHUTDOWN_RESERVE};

/// How long a container sleeps before it gets SIGTERM: 0 to 3600 s.
pub type Delay = Seconds<MAX_DELAY>;
/// What a Pod keeps of its grace period for its own shutdown: 0 to 3600 s.
pub type ShutdownReserve = Seconds<MAX_SHUTDOWN_RESERVE>;
/// A phase of the server's own drain: 0 to 300 s.
pub type DrainTime = Seconds<MAX_DRAIN>;

/// A whole number of seconds from 0 to `MAX`.
///
/// Read from `15`, `15s`, `2m` or `1m30s`; shown as `15s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds<const MAX: u32>(u32);

impl<const MAX: u32> Seconds<MAX> {
    /// The largest value.
    pub const MAX: Self = Self(MAX);

    /// `seconds`, or the largest value if that is smaller.
    pub const fn clamped(seconds: u32) -> Self {
        Self(if seconds > MAX { MAX } else { seconds })
    }

    /// The number of seconds.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same as a [`std::time::Duration`].
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0 as u64)
    }
}

/// Why a text is not a number of seconds from 0 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSecondsError<const MAX: u32> {
    /// Not a whole number of seconds at all.
    #[error("expected whole seconds from 0 to {MAX}, such as 15 or 15s or 1m30s")]
    Malformed,
    /// A whole number of seconds, but more than `MAX`.
    #[error("expected no more than {MAX} seconds")]
    AboveMaximum,
}

impl<const MAX: u32> FromStr for Seconds<MAX> {
    type Err = ParseSecondsError<MAX>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = parse(text.trim()).ok_or(ParseSecondsError::Malformed)?;
        match u32::try_from(seconds) {
            Ok(seconds) if seconds <= MAX => Ok(Self(seconds)),
            _ => Err(ParseSecondsError::AboveMaximum),
        }
    }
}

impl<const MAX: u32> fmt::Display for Seconds<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// `N`, `Ns`, `Nm` or `NmNs`. A number too large for `u64` counts as `u64::MAX`.
fn parse(text: &str) -> Option<u64> {
    let (minutes, rest) = match text.split_once('m') {
        Some((minutes, "")) => return number(minutes).map(|m| m.saturating_mul(60)),
        Some((minutes, rest)) if rest.ends_with('s') => (number(minutes)?, rest),
        Some(_) => return None,
        None => (0, text),
    };
    let seconds = number(rest.strip_suffix('s').unwrap_or(rest))?;
    Some(minutes.saturating_mul(60).saturating_add(seconds))
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Delay, ParseSecondsError::*};

    #[rstest]
    #[case::bare("15", 15)]
    #[case::with_unit("15s", 15)]
    #[case::zero("0", 0)]
    #[case::zero_with_unit("0s", 0)]
    #[case::minutes("2m", 120)]
    #[case::minutes_and_seconds("1m30s", 90)]
    #[case::more_than_a_minute_of_seconds("1m90s", 150)]
    #[case::the_maximum("3600", 3600)]
    #[case::leading_zeros("0005", 5)]
    #[case::white_space_around(" 7s\n", 7)]
    fn is_read(#[case] text: &str, #[case] seconds: u32) {
        assert_eq!(text.parse(), Ok(Delay::clamped(seconds)), "{text:?}");
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
    #[case::hours("1h")]
    #[case::unit_missing_after_minutes("1m30")]
    #[case::inner_space("5 s")]
    #[case::other_digits("٥")]
    fn is_malformed(#[case] text: &str) {
        assert_eq!(text.parse::<Delay>(), Err(Malformed), "{text:?}");
    }

    #[rstest]
    #[case::one_too_many("3601")]
    #[case::minutes("60m1s")]
    #[case::larger_than_u64("99999999999999999999999")]
    #[case::minutes_larger_than_u64("99999999999999999999999m")]
    fn is_above_the_maximum(#[case] text: &str) {
        assert_eq!(text.parse::<Delay>(), Err(AboveMaximum), "{text:?}");
    }
}
