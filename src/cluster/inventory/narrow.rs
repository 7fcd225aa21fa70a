//! What is read of each object.

use serde::{Deserialize, de::IgnoredAny};

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

#[derive(Default, Deserialize)]
#[serde(default)]
struct CreatedText {
    metadata: CreatedMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CreatedMetadata {
    creation_timestamp: Option<String>,
}

/// When an object was created.
pub(super) fn created(text: &str) -> Option<String> {
    serde_json::from_str::<CreatedText>(text).ok()?.metadata.creation_timestamp
}

/// Whether a container of a Pod has a readiness probe.
pub(super) fn is_probed(text: &str) -> bool {
    let ProbesText { spec } = serde_json::from_str(text).unwrap_or_default();
    spec.containers.iter().any(|container| container.readiness_probe.is_some())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProbesText {
    spec: ProbesSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProbesSpec {
    containers: Vec<ContainerProbes>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerProbes {
    readiness_probe: Option<IgnoredAny>,
}

/// An Event about a Pod.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EventText {
    involved_object: InvolvedObject,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InvolvedObject {
    namespace: Option<String>,
    name: Option<String>,
}

impl EventText {
    /// Whose Pod it is about: the namespace, and what the names of all Pods of that template begin
    /// with. The Pod itself is gone by then.
    pub(super) fn template(self) -> Option<(String, String)> {
        let InvolvedObject { namespace, name } = self.involved_object;
        let mut name = name?;
        name.truncate(name.rfind('-').map_or(name.len(), |dash| dash + 1));
        Some((namespace?, name))
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

    #[rstest]
    #[case::of_a_replica_set("web-5d-abc", "web-5d-")]
    #[case::of_a_stateful_set("db-0", "db-")]
    #[case::of_nothing("lonely", "lonely")]
    fn an_event_about_a_pod_is_about_its_template(#[case] pod: &str, #[case] prefix: &str) {
        let event = json!({"involvedObject": {"namespace": "shop", "name": pod, "uid": "u"}});
        let event: EventText = serde_json::from_str(&event.to_string()).unwrap();
        assert_eq!(event.template(), Some(("shop".to_owned(), prefix.to_owned())));
    }

    #[rstest]
    #[case::one_of_two(json!([{"name": "a"}, {"name": "b", "readinessProbe": {}}]), true)]
    #[case::none(json!([{"name": "a", "livenessProbe": {}}]), false)]
    #[case::null(json!([{"name": "a", "readinessProbe": null}]), false)]
    #[case::no_list(json!("web"), false)]
    fn a_readiness_probe(#[case] containers: Value, #[case] expected: bool) {
        let pod = json!({"spec": {"containers": containers}}).to_string();
        assert_eq!(is_probed(&pod), expected, "{pod}");
    }
}
