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
    ["labels", "annotations"]
        .into_iter()
        .flat_map(|field| {
            let keys = object["metadata"][field].as_object().into_iter().flat_map(|map| map.keys());
            let ours =
                keys.filter(|key| key.starts_with(KEY_PREFIX) && *key != INJECTED_ANNOTATION);
            let place = format!("{template}.metadata.{field}");
            ours.map(move |key| (key, place.clone()))
        })
        .map(|(key, place)| {
            format!("{key} has no effect on the {kind} itself: write it under {place}")
        })
        .collect()
}
