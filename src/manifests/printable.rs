//! Text from manifests, made safe for a terminal.

/// `text` without control characters. Nothing in a manifest may steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
