//! How long something is valid, as people write it.

use std::{fmt, str::FromStr, time::Duration};

use crate::constants::MAX_LIFETIME;

/// A time of 1 s to 36500 days. Read from a whole number and its unit: `90d`, `12h`, `5m` or
/// `30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(Duration);

impl Lifetime {
    /// `duration`, or the nearest that is in the range.
    pub fn clamped(duration: Duration) -> Self {
        Self(duration.clamp(Duration::from_secs(1), MAX_LIFETIME))
    }

    /// The same as a [`Duration`].
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// Why a text is no lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseLifetimeError {
    /// Not a whole number with a unit.
    #[error("expected a whole number and its unit, such as 90d, 12h, 5m or 30s")]
    Malformed,
    /// Zero, or too long.
    #[error("expected 1s to {}d", MAX_LIFETIME.as_secs() / DAY)]
    OutOfRange,
}

const DAY: u64 = 24 * HOUR;
const HOUR: u64 = 60 * MINUTE;
const MINUTE: u64 = 60;
const UNITS: [(char, u64); 4] = [('d', DAY), ('h', HOUR), ('m', MINUTE), ('s', 1)];

impl FromStr for Lifetime {
    type Err = ParseLifetimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (number, unit) = UNITS
            .into_iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
            .filter(|(number, _)| !number.is_empty())
            .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(ParseLifetimeError::Malformed)?;
        // A number too large for `u64` is out of range as well.
        let seconds = number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit);
        match Duration::from_secs(seconds) {
            lifetime if lifetime.is_zero() || lifetime > MAX_LIFETIME => {
                Err(ParseLifetimeError::OutOfRange)
            }
            lifetime => Ok(Self(lifetime)),
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (name, unit) =
            UNITS.into_iter().find(|(_, unit)| seconds.is_multiple_of(*unit)).unwrap_or(('s', 1));
        write!(f, "{}{name}", seconds / unit)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{ParseLifetimeError::*, *};

    #[rstest]
    #[case::days("90d", 90 * DAY, "90d")]
    #[case::hours("12h", 12 * HOUR, "12h")]
    #[case::minutes("5m", 300, "5m")]
    #[case::seconds("30s", 30, "30s")]
    #[case::shown_in_the_largest_unit("7200s", 7200, "2h")]
    #[case::the_shortest("1s", 1, "1s")]
    #[case::the_longest("36500d", 36500 * DAY, "36500d")]
    #[case::white_space_around(" 1d\n", DAY, "1d")]
    fn is_read(#[case] text: &str, #[case] seconds: u64, #[case] shown: &str) {
        let lifetime = text.parse::<Lifetime>();
        assert_eq!(lifetime, Ok(Lifetime(Duration::from_secs(seconds))), "{text:?}");
        assert_eq!(lifetime.unwrap().to_string(), shown, "{text:?}");
    }

    #[rstest]
    #[case::empty("", Malformed)]
    #[case::unit_alone("d", Malformed)]
    #[case::no_unit("90", Malformed)]
    #[case::another_unit("1y", Malformed)]
    #[case::milliseconds("500ms", Malformed)]
    #[case::negative("-1d", Malformed)]
    #[case::fraction("1.5d", Malformed)]
    #[case::two_units("1h30m", Malformed)]
    #[case::zero("0s", OutOfRange)]
    #[case::too_long("36501d", OutOfRange)]
    #[case::larger_than_u64("99999999999999999999999s", OutOfRange)]
    fn is_refused(#[case] text: &str, #[case] error: ParseLifetimeError) {
        assert_eq!(text.parse::<Lifetime>(), Err(error), "{text:?}");
    }
}
