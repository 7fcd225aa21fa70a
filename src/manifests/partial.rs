//! Tells patches of kustomize from whole objects.

use serde_json::Value;

/// What shows that `object`, which has this Pod template, is a patch and not a whole object. With
/// a hook of ours, what it is merged with might get two.
pub(super) fn missing_part(object: &Value, template: &Value) -> Option<String> {
    if let Some(directive) = directive(object) {
        return Some(format!("{directive} is set"));
    }
    let lists = ["initContainers", "containers"];
    let containers = lists.iter().filter_map(|list| template["spec"][list].as_array()).flatten();
    for container in containers {
        let Some(name) = container["name"].as_str() else { continue };
        if container.get("lifecycle").is_some_and(Value::is_null) {
            return Some(format!("container {name} sets lifecycle to null"));
        }
        if container["image"].as_str().is_none_or(str::is_empty) {
            return Some(format!("container {name} has no image"));
        }
    }
    None
}

/// A directive of a strategic merge patch, anywhere in `value`.
fn directive(value: &Value) -> Option<&str> {
    match value {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            let is_directive =
                ["$patch", "$retainKeys", "$deleteFromPrimitiveList/", "$setElementOrder/"]
                    .iter()
                    .any(|directive| key.starts_with(directive));
            if is_directive { Some(key.as_str()) } else { directive(value) }
        }),
        Value::Array(items) => items.iter().find_map(directive),
        _ => None,
    }
}
