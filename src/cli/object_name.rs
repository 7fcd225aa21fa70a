//! Names of objects in flags. They become parts of the paths of requests.

use crate::{constants::MAX_LABEL_BYTES, object_name::is_object_name};

/// The name of a namespace.
pub(super) fn namespace_name(text: &str) -> Result<String, &'static str> {
    let is_name = is_object_name(text) && text.len() <= MAX_LABEL_BYTES && !text.contains('.');
    is_name.then(|| text.to_owned()).ok_or("expected up to 63 lowercase letters, digits and -")
}

/// The name of a Pod.
pub(super) fn pod_name(text: &str) -> Result<String, &'static str> {
    is_object_name(text)
        .then(|| text.to_owned())
        .ok_or("expected up to 253 lowercase letters, digits, - and .")
}
