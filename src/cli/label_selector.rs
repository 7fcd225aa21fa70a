//! Label selectors in flags. They become parts of requests.

use crate::{
    constants::{MAX_LABEL_BYTES, MAX_NAME_BYTES},
    object_name::is_object_name,
};

const EXPECTED: &str = "expected a label selector, such as app=apisix, app!=test or app in (a,b)";

/// A label selector as kubectl takes it. An empty one, which selects every Pod, is none.
pub(super) fn label_selector(text: &str) -> Result<String, &'static str> {
    requirements(text).all(is_requirement).then(|| text.to_owned()).ok_or(EXPECTED)
}

/// What stands between the commas, except those in parentheses.
fn requirements(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.split(move |c| {
        is_inside = c == '(' || is_inside && c != ')';
        c == ',' && !is_inside
    })
}

fn is_requirement(text: &str) -> bool {
    let text = text.trim();
    if let Some(key) = text.strip_prefix('!') {
        return is_key(key.trim());
    }
    if let Some((key, value)) = text.split_once('=') {
        let key = key.strip_suffix('!').unwrap_or(key);
        let value = value.strip_prefix('=').unwrap_or(value);
        return is_key(key.trim()) && is_value(value.trim());
    }
    if let Some((start, values)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let mut words = start.split_ascii_whitespace();
        return words.next().is_some_and(is_key)
            && matches!(words.next(), Some("in" | "notin"))
            && words.next().is_none()
            && values.split(',').all(|value| is_value(value.trim()));
    }
    is_key(text)
}

fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').unwrap_or(("a", text));
    is_object_name(prefix) && prefix.len() <= MAX_NAME_BYTES && !name.is_empty() && is_value(name)
}

fn is_value(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= MAX_LABEL_BYTES
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && is_edge(bytes.first())
        && is_edge(bytes.last())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::constants::DEFAULT_GATEWAY_SELECTOR;

    #[rstest]
    #[case::the_default(DEFAULT_GATEWAY_SELECTOR)]
    #[case::two("app=apisix,tier=edge")]
    #[case::two_equals_signs("app==apisix")]
    #[case::unequal("app!=apisix")]
    #[case::no_value("app=")]
    #[case::a_key("app")]
    #[case::no_such_key("!app")]
    #[case::one_of("app in (a, b),tier notin (c)")]
    #[case::spaces(" app = apisix , tier ")]
    fn is_a_selector(#[case] text: &str) {
        assert_eq!(label_selector(text), Ok(text.to_owned()));
    }

    #[rstest]
    #[case::empty("")]
    #[case::space(" ")]
    #[case::a_comma_too_many("app=apisix,")]
    #[case::no_key("=apisix")]
    #[case::no_key_either("!")]
    #[case::no_prefix("/name=apisix")]
    #[case::two_prefixes("a/b/c=apisix")]
    #[case::three_equals_signs("app===apisix")]
    #[case::greater("app>1")]
    #[case::a_word_too_many("app is in (a)")]
    #[case::another_word("app of (a)")]
    #[case::not_closed("app in (a")]
    #[case::not_opened("app in a)")]
    #[case::two_values("app=a b")]
    #[case::an_edge("app=-a")]
    #[case::query("app=a&limit=1")]
    #[case::control_character("app=a\u{1b}[2J")]
    #[case::too_long("app=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    fn is_no_selector(#[case] text: &str) {
        assert_eq!(label_selector(text), Err(EXPECTED), "{text:?}");
    }
}
