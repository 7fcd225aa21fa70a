//! Names of objects in flags. They become parts of the paths of requests.

use crate::constants::{MAX_LABEL_BYTES, MAX_NAME_BYTES};

/// The name of a namespace.
pub(super) fn namespace_name(text: &str) -> Result<String, &'static str> {
    let is_name = is_plain(text, MAX_LABEL_BYTES) && !text.contains('.');
    is_name.then(|| text.to_owned()).ok_or("expected up to 63 lowercase letters, digits and -")
}

/// The name of a Pod.
pub(super) fn pod_name(text: &str) -> Result<String, &'static str> {
    let is_name = is_plain(text, MAX_NAME_BYTES) && !text.contains("..");
    is_name.then(|| text.to_owned()).ok_or("expected up to 253 lowercase letters, digits, - and .")
}

fn is_plain(text: &str, most: usize) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(is_plain)
}
