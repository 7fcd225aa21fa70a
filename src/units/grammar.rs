//! The one grammar of times: `90`, `90s`, `1m30s`, `2h`, `90d`.

use std::fmt;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// From the largest to the smallest, which is the order in a text.
const UNITS: [(char, u64); 4] = [('d', DAY), ('h', HOUR), ('m', MINUTE), ('s', 1)];

/// Reads a whole number of seconds, or whole numbers with units, largest unit first and each unit
/// at most once. `None` if `text` is something else. A number too large for `u64` counts as
/// `u64::MAX`.
pub(super) fn parse(text: &str) -> Option<u64> {
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let (mut total, mut rest, mut units) = (0_u64, text, UNITS.into_iter());
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let count = number(&rest[..end])?;
        let name = rest[end..].chars().next()?;
        let (_, seconds) = units.find(|(unit, _)| *unit == name)?;
        total = total.saturating_add(count.saturating_mul(seconds));
        rest = &rest[end + name.len_utf8()..];
    }
    (!text.is_empty()).then_some(total)
}

/// A number of ASCII digits.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Writes `seconds` with the largest units that fit.
pub(super) fn write(f: &mut fmt::Formatter<'_>, seconds: u64) -> fmt::Result {
    let mut rest = seconds;
    for (name, unit) in UNITS {
        if rest >= unit {
            write!(f, "{}{name}", rest / unit)?;
            rest %= unit;
        }
    }
    if seconds == 0 { f.write_str("0s") } else { Ok(()) }
}
