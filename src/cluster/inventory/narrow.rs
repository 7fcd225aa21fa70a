//! What is read of each object.

use serde::{Deserialize, de::IgnoredAny};

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
