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
