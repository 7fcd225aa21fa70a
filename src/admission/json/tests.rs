//! Compares the reader with serde_json: every valid text gives the same result.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*};
use rstest::rstest;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{Reader, from_str};

/// The result of the reader alone, without serde_json.
fn alone<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader).ok()?;
    reader.is_at_end().then_some(value)
}

/// Of each kind of value that is read anywhere, one, with anything between them.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct View<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    number: Option<i64>,
    flag: Option<bool>,
    list: Vec<Option<i64>>,
    #[serde(borrow)]
    inner: Option<Box<View<'a>>>,
}

/// One field, which is looked for.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Only {
    number: Option<i64>,
}

/// Strings of what a skipper could stumble over.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec!["\"", "\\", "{", "}", "[", "]", ",", ":", "é", "\u{1F980}", "\n"]),
        1 => prop::sample::select(vec!["", "a", "text", "a longer one that goes on from one block of bytes to the next one"]),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        string().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((string(), inner), 0..6).prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

/// A JSON object that is a [`View`], and more.
fn view() -> impl Strategy<Value = Value> {
    let members = (
        any::<Option<i64>>(),
        any::<Option<bool>>(),
        vec(any::<Option<i64>>(), 0..4),
        prop::option::of(string()),
        vec((string(), value()), 0..4),
    );
    let view = members.prop_map(|(number, flag, list, text, others)| {
        let mut view = Map::from_iter(others);
        view.extend([
            ("number".to_owned(), number.into()),
            ("flag".to_owned(), flag.into()),
            ("list".to_owned(), list.into()),
            ("text".to_owned(), text.into()),
        ]);
        Value::from(view)
    });
    view.prop_recursive(3, 3, 1, |inner| {
        (inner.clone(), inner).prop_map(|(mut outer, inner)| {
            outer["inner"] = inner;
            outer
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_view_is_the_one_that_serde_json_has(value in view()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let expected: View<'_> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(alone::<View<'_>>(&text), Some(expected), "{}", text);
            let expected: Only = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(alone::<Only>(&text), Some(expected), "{}", text);
        }
    }

    #[test]
    fn a_single_field_is_found_wherever_blocks_meet(before in 0..130usize, name in "number|num\\\\u0062er|numbers|other") {
        let text = format!("{{\"{}\":0,\"{name}\":7}}", "x".repeat(before));
        let expected: Only = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(alone::<Only>(&text), Some(expected), "{}", text);
    }

    #[test]
    fn what_is_stepped_over_ends_where_it_ends(value in value(), space in " {0,70}") {
        let text = format!("{space}{value}{space}");
        prop_assert!(alone::<IgnoredAny>(&text).is_some(), "{}", text);
        let two = format!("{text}1");
        // A digit at the end of a word makes another word, which nothing checks.
        let is_word = space.is_empty() && (value.is_number() || value.is_boolean() || value.is_null());
        prop_assert!(alone::<IgnoredAny>(&two).is_none() || is_word, "{}", two);
    }

    #[test]
    fn half_of_it_is_nothing(value in view(), cut in any::<prop::sample::Index>()) {
        let text = value.to_string();
        let cut = text.floor_char_boundary(cut.index(text.len()));
        prop_assert!(from_str::<View<'_>>(&text[..cut]).is_err(), "{}", &text[..cut]);
    }

    #[test]
    fn the_end_of_a_string_is_found_wherever_blocks_meet(before in 0..130usize, text in string(), backslashes in 0..70usize) {
        let text = format!("{}{text}{}", "x".repeat(before), "\\".repeat(backslashes));
        let json = Value::from(text.clone()).to_string();
        prop_assert_eq!(alone::<Cow<'_, str>>(&json), Some(text.into()), "{}", json);
    }
}

#[rstest]
#[case::nothing("")]
#[case::half("{\"number\":")]
#[case::no_colon("{\"number\" 1}")]
#[case::no_comma("{\"number\":1 \"flag\":true}")]
#[case::comma_at_the_end("{\"number\":1,}")]
#[case::comma_at_the_start("{,\"number\":1}")]
#[case::comma_in_a_list("{\"list\":[1,]}")]
#[case::a_key_that_is_no_string("{number:1}")]
#[case::no_value("{\"other\":}")]
#[case::string_without_end("{\"other\":\"}")]
#[case::object_without_end("{\"other\":{}")]
#[case::more_behind("{} {}")]
#[case::fraction("{\"number\":1.5}")]
#[case::minus_zero("{\"number\":-0}")]
#[case::leading_zero("{\"number\":07}")]
#[case::too_large("{\"number\":9223372036854775808}")]
#[case::other_type("{\"flag\":\"true\"}")]
#[case::escape_that_is_none(r#"{"text":"\x"}"#)]
#[case::twice("{\"number\":1,\"number\":2}")]
fn what_serde_json_refuses_is_refused_in_its_words(#[case] text: &str) {
    assert_eq!(alone::<View<'_>>(text), None, "{text}");
    let expected = serde_json::from_str::<View<'_>>(text).unwrap_err().to_string();
    assert_eq!(from_str::<View<'_>>(text).unwrap_err().to_string(), expected, "{text}");
}

#[test]
fn what_can_be_borrowed_is_borrowed() {
    assert_eq!(alone::<&str>(r#""as it is""#), Some("as it is"));
    assert_eq!(alone::<&str>(r#""with\nan escape""#), None, "there is nothing to borrow");
}

/// A call for each level would be the end of the process.
#[test]
fn what_is_stepped_over_may_be_nested_without_end() {
    let nested = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let text = format!("{{\"other\":{nested},\"number\":1}}");
    assert_eq!(alone::<View<'_>>(&text).unwrap().number, Some(1));
}
