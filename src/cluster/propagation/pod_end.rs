//! How a Pod has ended.

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use super::pod_facts::sleep_of_container;
use crate::injection::Pod;

/// How soon after SIGTERM a container ends that does not finish its requests, in seconds. The API has
/// whole seconds.
const AT_ONCE: i64 = 1;

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndText {
    metadata: EndMetadata,
    status: EndStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EndMetadata {
    deletion_timestamp: Option<Timestamp>,
    deletion_grace_period_seconds: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EndStatus {
    container_statuses: Vec<ContainerEnd>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerEnd {
    name: String,
    state: ContainerState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    terminated: Option<Terminated>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Terminated {
    finished_at: Option<Timestamp>,
}

/// Whether a container of a Pod that is being deleted has ended within a second of its SIGTERM. `None`
/// as long as nobody can tell.
pub(super) fn ends_at_once(text: &str) -> Option<bool> {
    let EndText { metadata, status } = serde_json::from_str(text).ok()?;
    let pod = serde_json::from_str::<Pod<'_>>(text).ok()?;
    let asked = metadata.deletion_timestamp?.as_second() - metadata.deletion_grace_period_seconds;
    let waits = status.container_statuses.iter().filter_map(|container| {
        let ended = container.state.terminated.as_ref()?.finished_at?.as_second();
        let sleep = i64::try_from(sleep_of_container(&pod, &container.name)?).ok()?;
        Some(ended - asked - sleep)
    });
    waits.map(|after| after <= AT_ONCE).max()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn ended(at: &str) -> Value {
        json!({"terminated": {"finishedAt": at}})
    }

    #[rstest]
    #[case::at_once(ended("2026-01-01T00:00:06Z"), Some(true))]
    #[case::after_some_seconds(ended("2026-01-01T00:00:12Z"), Some(false))]
    #[case::still_runs(json!({"running": {}}), None)]
    #[case::unknown(json!({}), None)]
    fn how_soon_after_sigterm_a_container_ends(
        #[case] state: Value,
        #[case] expected: Option<bool>,
    ) {
        let pod = json!({
            "metadata": {
                "name": "web-0",
                "deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30,
            },
            "spec": {"containers": [
                {"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}},
            ]},
            "status": {"containerStatuses": [{"name": "app", "state": state}]},
        });
        assert_eq!(ends_at_once(&pod.to_string()), expected, "{pod}");
    }

    #[test]
    fn a_pod_that_runs_has_not_ended() {
        assert_eq!(ends_at_once(r#"{"spec": {"containers": [{"name": "app"}]}}"#), None);
    }
}
