//! A Pod, as it is listed and watched.

use serde::Deserialize;

use super::super::watched_object::WatchedObject;
use crate::{
    injection::{Pod, Policy},
    protection::HooklessPod,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodLife {
    metadata: Option<PodLifeMetadata>,
    status: Option<PodLifeStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodLifeMetadata {
    deletion_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodLifeStatus {
    phase: Option<String>,
}

impl PodLife {
    /// Whether it stops, or has stopped.
    fn is_over(&self) -> bool {
        let phase = self.status.as_ref().and_then(|status| status.phase.as_deref());
        let has_ended = matches!(phase, Some("Succeeded" | "Failed"));
        let metadata = self.metadata.as_ref();
        has_ended || metadata.is_some_and(|metadata| metadata.deletion_timestamp.is_some())
    }
}

/// What is kept of a Pod, if it runs without a sleep.
pub(super) fn hookless(pod: &WatchedObject, policy: &Policy) -> Option<HooklessPod> {
    let narrow: PodLife = serde_json::from_str(pod.text()).ok()?;
    if narrow.is_over() {
        return None;
    }
    HooklessPod::of(&serde_json::from_str::<Pod<'_>>(pod.text()).ok()?, pod.uid(), policy)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::runs(json!({}), true)]
    #[case::is_pending(json!({"status": {"phase": "Pending"}}), true)]
    #[case::has_no_status(json!({"status": null}), true)]
    #[case::has_ended(json!({"status": {"phase": "Succeeded"}}), false)]
    #[case::has_failed(json!({"status": {"phase": "Failed"}}), false)]
    #[case::is_terminating(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), false)]
    fn only_a_pod_that_runs_lacks_a_sleep(#[case] change: Value, #[case] lacks: bool) {
        let mut pod = json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
            "spec": {"containers": [{"name": "app"}]},
            "status": {"phase": "Running"},
        });
        json_patch::merge(&mut pod, &change);
        let pod = serde_json::from_str(&pod.to_string()).unwrap();
        let kept = hookless(&pod, &Policy::default());
        assert_eq!(kept.as_ref().map(|pod| &*pod.workload.uid), lacks.then_some("u"), "{change}");
    }
}
