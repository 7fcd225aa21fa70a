//! A Pod, as it is listed and watched.

use super::super::{pod_text::PodText, watched_object::WatchedObject};
use crate::{
    injection::Pod,
    protection::{AuditSettings, AuditedPod, PodLife, RunningPods, UnprotectedPod},
};

/// Notes a Pod that was created or has changed.
pub(super) fn note(pods: &mut RunningPods, object: &WatchedObject, settings: &AuditSettings) {
    let text: PodText = serde_json::from_str(object.text()).unwrap_or_default();
    let pod = unprotected(object, &text, settings);
    pods.apply(object.namespace(), object.name(), text.created(), pod);
}

/// What is kept of a Pod, if it runs and does not wait long enough before it stops.
fn unprotected(
    object: &WatchedObject,
    text: &PodText,
    settings: &AuditSettings,
) -> Option<UnprotectedPod> {
    if text.life() != PodLife::Running {
        return None;
    }
    let pod = serde_json::from_str::<Pod<'_>>(object.text()).ok()?;
    let audited = AuditedPod {
        pod: &pod,
        life: PodLife::Running,
        created: text.created(),
        // These can change while the Pod does not.
        routed: None,
        namespace: None,
        // It is no reason to count a Pod.
        is_probed: true,
        // Only the Events of a namespace say so.
        hook_failed: false,
    };
    UnprotectedPod::of(&audited, object.uid(), settings)
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
    fn only_a_pod_that_runs_counts(#[case] change: Value, #[case] counts: bool) {
        let mut pod = json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
            "spec": {"containers": [{"name": "app"}]},
            "status": {"phase": "Running"},
        });
        json_patch::merge(&mut pod, &change);
        let pod = serde_json::from_str(&pod.to_string()).unwrap();
        let settings = AuditSettings { is_installed: true, ..AuditSettings::default() };
        let mut pods = RunningPods::default();
        note(&mut pods, &pod, &settings);
        assert_eq!(pods.take_changed().len(), usize::from(counts), "{change}");
    }
}
