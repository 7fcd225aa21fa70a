//! The meaning of plain YAML scalars in Kubernetes, and the quotes that keep a string a string.

use serde_json::{Number, Value};

/// The value of a plain scalar for `kubectl`, which reads YAML 1.1: `yes` is a boolean and `0644` is
/// octal.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            Value::Bool(false)
        }
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let text = text.replace('_', "");
    integer(&text).or_else(|| {
        let float = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        let digits = text.bytes().any(|b| b.is_ascii_digit());
        let value: f64 = (float && digits).then(|| text.parse().ok())??;
        // As Go writes it: an integer where it is one. A field that has to be one takes it so.
        let whole = value as i64;
        if whole as f64 == value && whole.unsigned_abs() < 1 << 53 {
            return Some(Number::from(whole));
        }
        Number::from_f64(value)
    })
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0i64.checked_sub_unsigned(value).map(Number::from)
    } else {
        Some(Number::from(value))
    }
}

/// Whether `text` without quotes is the same string in every position.
pub(super) fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && matches!(resolve(text), Value::String(_))
}

/// The string in double quotes. What JSON escapes, YAML escapes in the same way.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text)
        .to_string()
        // Line breaks to a YAML reader, and not to a JSON one.
        .replace('\u{85}', "\\u0085")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
        .replace('\u{7f}', "\\u007f")
        .replace('\u{feff}', "\\ufeff")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::empty("", json!(null))]
    #[case::tilde("~", json!(null))]
    #[case::word("web", json!("web"))]
    #[case::truth("true", json!(true))]
    #[case::yaml_1_1_truth("yes", json!(true))]
    #[case::yaml_1_1_untruth("Off", json!(false))]
    #[case::integer("30", json!(30))]
    #[case::signed("-1", json!(-1))]
    #[case::plus("+5", json!(5))]
    #[case::octal("0644", json!(420))]
    #[case::new_octal("0o644", json!(420))]
    #[case::not_octal("0890", json!(890))]
    #[case::hexadecimal("0x1F", json!(31))]
    #[case::binary("0b101", json!(5))]
    #[case::underscores("1_000", json!(1000))]
    #[case::float("1.5", json!(1.5))]
    #[case::exponent("1e3", json!(1000))]
    #[case::largest("18446744073709551615", json!(u64::MAX))]
    #[case::smallest("-9223372036854775808", json!(i64::MIN))]
    #[case::version("1.2.3", json!("1.2.3"))]
    #[case::quantity("100m", json!("100m"))]
    #[case::date("2001-12-14", json!("2001-12-14"))]
    #[case::two_signs("+-5", json!("+-5"))]
    #[case::hexadecimal_sign("0x-1", json!("0x-1"))]
    #[case::infinity(".inf", json!(".inf"))]
    #[case::dots("...", json!("..."))]
    fn a_plain_scalar_is_read_as_kubectl_does(#[case] text: &str, #[case] value: Value) {
        assert_eq!(resolve(text), value, "{text:?}");
    }

    #[rstest]
    #[case::name("web-1.a/b_c", true)]
    #[case::path("/bin/sh", true)]
    #[case::boolean("no", false)]
    #[case::number("5", false)]
    #[case::space("sleep 5", false)]
    #[case::colon("a:", false)]
    #[case::dash("-c", false)]
    #[case::empty("", false)]
    fn a_string_is_left_plain_only_if_it_stays_one(#[case] text: &str, #[case] plain: bool) {
        assert_eq!(is_plain(text), plain, "{text:?}");
    }
}
