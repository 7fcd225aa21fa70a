//! What we tell people about a Pod beside the decision itself.

use std::fmt;

use crate::constants::{DELAY_ANNOTATION, MAX_DELAY, MAX_WARNING_LENGTH};
use crate::seconds::Delay;

/// Something about a Pod that its author should know.
///
/// Its `Display` is the warning: ASCII, one line, at most [`MAX_WARNING_LENGTH`] long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The delay annotation is not a number of seconds; the policy's delay applies.
    DelayMalformed {
        /// What the annotation says.
        value: String,
        /// The delay that applies.
        used: Delay,
    },
    /// The delay annotation asks for more than [`MAX_DELAY`]; that applies.
    DelayAboveMaximum {
        /// What the annotation says.
        value: String,
    },
}

impl Notice {
    /// The names of all notices, as in metrics.
    pub const NAMES: [&'static str; 2] = ["delay_malformed", "delay_above_maximum"];

    /// Its index in [`Self::NAMES`].
    pub const fn index(&self) -> usize {
        match self {
            Self::DelayMalformed { .. } => 0,
            Self::DelayAboveMaximum { .. } => 1,
        }
    }

    /// Its name in logs and metrics.
    pub const fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DelayMalformed { value, used } => {
                let value = quoted(value);
                write!(
                    f,
                    "{DELAY_ANNOTATION}: {value} is not 0-{MAX_DELAY} whole seconds such as 15s; using {used}"
                )
            }
            Self::DelayAboveMaximum { value } => {
                let value = quoted(value);
                write!(
                    f,
                    "{DELAY_ANNOTATION}: {value} is above the range 0-{MAX_DELAY}s; using {MAX_DELAY}s"
                )
            }
        }
    }
}

/// A user's value, cut and escaped so that the whole warning stays a short ASCII line.
fn quoted(value: &str) -> String {
    const MAX: usize = 24;
    let mut quoted = String::from("\"");
    for c in value.chars() {
        let escaped = c.escape_default();
        if quoted.len() + escaped.len() > MAX {
            quoted.push_str("...");
            break;
        }
        quoted.extend(escaped);
    }
    quoted.push('"');
    quoted
}

const _: () = assert!(
    MAX_WARNING_LENGTH >= 120,
    "the texts above are written for 120"
);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ordinary("soon", "\"soon\"")]
    #[case::line_break("5\n", "\"5\\n\"")]
    #[case::quotes("\"", "\"\\\"\"")]
    #[case::not_ascii("5 Sekunden ü", "\"5 Sekunden \\u{fc}\"")]
    #[case::long("0123456789012345678901234567890", "\"01234567890123456789012...\"")]
    fn a_value_is_quoted_short_and_in_ascii(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(quoted(value), expected);
    }

    #[rstest]
    #[case::long("9".repeat(5000))]
    #[case::all_escapes("\u{10ffff}".repeat(50))]
    #[case::line_breaks("\n".repeat(50))]
    #[case::empty(String::new())]
    fn a_warning_is_a_short_ascii_line(#[case] value: String) {
        let malformed = Notice::DelayMalformed {
            value: value.clone(),
            used: Delay::MAX,
        };
        for notice in [malformed, Notice::DelayAboveMaximum { value }] {
            let text = notice.to_string();
            assert!(
                text.len() <= MAX_WARNING_LENGTH,
                "{} is too long: {text}",
                text.len()
            );
            assert!(
                text.bytes().all(|b| (b' '..=b'~').contains(&b)),
                "not one line: {text:?}"
            );
        }
    }
}
