//! A Pod, as it is listed and watched.

use super::super::{pod_text::PodText, watched_object::WatchedObject};
use crate::{
    injection::{Pod, Policy},
    protection::{HooklessPod, PodLife},
};

/// What is kept of a Pod, if it runs without a sleep.
pub(super) fn hookless(pod: &WatchedObject, policy: &Policy) -> Option<HooklessPod> {
    let text: PodText = serde_json::from_str(pod.text()).ok()?;
    if text.life() != PodLife::Running {
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
