//! What is read of a Namespace.

use serde::Deserialize;

use crate::{constants::INJECT_LABEL, protection::NamespaceOptIn, upstreams::StringMap};

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamespaceText {
    metadata: NamespaceMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NamespaceMetadata {
    labels: Option<StringMap>,
    managed_fields: Option<Vec<ManagedFields>>,
}

/// Who wrote which fields, and when last.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ManagedFields {
    time: Option<String>,
    fields_v1: Option<serde_json::Value>,
}

/// Whether a namespace has opted in, and since when.
pub(super) fn opt_in(text: &str, is_opted_in: &dyn Fn(&StringMap) -> bool) -> NamespaceOptIn {
    let NamespaceText { metadata } = serde_json::from_str(text).unwrap_or_default();
    let writers = metadata.managed_fields.into_iter().flatten().filter(|writer| {
        let fields = writer.fields_v1.as_ref();
        fields.is_some_and(|fields| {
            !fields["f:metadata"]["f:labels"][format!("f:{INJECT_LABEL}")].is_null()
        })
    });
    NamespaceOptIn {
        is_opted_in: is_opted_in(&metadata.labels.unwrap_or_default()),
        since: writers.filter_map(|writer| writer.time).max(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn writer(time: &str, label: &str) -> Value {
        let labels = json!({format!("f:{label}"): {}});
        json!({"manager": "kubectl", "time": time, "fieldsV1": {"f:metadata": {"f:labels": labels}}})
    }

    #[rstest]
    #[case::nobody(json!([]), None)]
    #[case::without_fields(json!([{"manager": "kubectl", "time": "2026-01-01T00:00:00Z"}]), None)]
    #[case::another_label(json!([writer("2026-01-01T00:00:00Z", "team")]), None)]
    #[case::its_label(json!([writer("2026-01-01T00:00:00Z", INJECT_LABEL)]), Some("2026-01-01T00:00:00Z"))]
    #[case::the_last_of_several(
        json!([writer("2026-01-02T00:00:00Z", INJECT_LABEL), writer("2026-01-01T00:00:00Z", INJECT_LABEL)]),
        Some("2026-01-02T00:00:00Z")
    )]
    #[case::fields_of_the_wrong_type(json!([{"time": "2026-01-01T00:00:00Z", "fieldsV1": ["f:metadata"]}]), None)]
    fn the_time_of_the_label(#[case] writers: Value, #[case] since: Option<&str>) {
        let text = json!({"metadata": {"labels": {"team": "shop"}, "managedFields": writers}});
        let found = opt_in(&text.to_string(), &|labels| labels.get("team") == Some("shop"));
        assert!(found.is_opted_in, "the selector decides: {text}");
        assert_eq!(found.since.as_deref(), since, "{text}");
    }
}
