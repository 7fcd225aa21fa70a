//! What the API server takes as the name of an object. Everything else could lead to another path,
//! or be a part of a command.

use crate::constants::MAX_NAME_BYTES;

/// Whether the API server would call an object so: a DNS subdomain (RFC 1123), without a bound for
/// each label.
pub(crate) fn is_object_name(name: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.contains("..")
        && !name.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web-5d8f", true)]
    #[case("web.example", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case("..", false)]
    #[case("-n", false)]
    #[case("a/../../secrets/b", false)]
    #[case("a%2fb", false)]
    #[case("a?watch=1", false)]
    #[case("a;id", false)]
    #[case("a\u{1b}[2J", false)]
    fn only_a_name_becomes_part_of_a_path_or_a_command(#[case] name: &str, #[case] good: bool) {
        assert_eq!(is_object_name(name), good, "{name:?}");
        let long = format!("a{}", "x".repeat(MAX_NAME_BYTES));
        assert!(!is_object_name(&long), "it is too long");
    }
}
