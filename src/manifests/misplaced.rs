//! Labels and annotations that have no effect where they are.

use jsonptr::Pointer;
use serde_json::Value;

use crate::constants::{INJECTED_ANNOTATION, KEY_PREFIX};

/// Notices about our keys in the metadata of `object`, whose Pod template is at `path`: they hold
/// for Pods, and so belong into the template.
pub(super) fn misplaced(object: &Value, path: &Pointer) -> Vec<String> {
    if path.is_root() {
        return Vec::new();
    }
    let template = path.as_str().trim_start_matches('/').replace('/', ".");
    let kind = object["kind"].as_str().unwrap_or("object");
    let mut notices = Vec::new();
    for field in ["labels", "annotations"] {
        for key in object["metadata"][field].as_object().into_iter().flat_map(|map| map.keys()) {
            if key.starts_with(KEY_PREFIX) && key != INJECTED_ANNOTATION {
                notices.push(format!(
                    "{key} has no effect on the {kind} itself: write it under \
                     {template}.metadata.{field}"
                ));
            }
        }
    }
    notices
}
