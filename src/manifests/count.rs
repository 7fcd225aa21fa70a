//! Numbers of things, as people write them.

/// `1 notice`, `2 notices`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
