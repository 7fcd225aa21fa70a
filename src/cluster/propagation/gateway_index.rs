//! The Pods of the gateway, as a watch keeps them.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, de::IgnoredAny};

use super::super::{watch::Index, watched_object::WatchedObject};
use crate::propagation::PodId;

/// The Pods of the gateway that run, and their addresses.
#[derive(Default)]
pub(super) struct GatewayIndex {
    /// By namespace and name.
    running: BTreeMap<(String, String), (PodId, IpAddr)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GatewayText {
    metadata: GatewayMetadata,
    status: GatewayStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GatewayMetadata {
    deletion_timestamp: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GatewayStatus {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: Option<IpAddr>,
}

impl GatewayIndex {
    /// The gateways that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &(PodId, IpAddr)> {
        self.running.values()
    }
}

impl Index<WatchedObject> for GatewayIndex {
    fn apply(&mut self, pod: WatchedObject) {
        let key = (pod.namespace().to_owned(), pod.name().to_owned());
        let GatewayText { metadata, status } = serde_json::from_str(pod.text()).unwrap_or_default();
        // One that terminates answers, or not, as it likes.
        let runs = status.phase == "Running" && metadata.deletion_timestamp.is_none();
        match status.pod_ip.filter(|_| runs) {
            Some(ip) => {
                let id = PodId::new(pod.namespace(), pod.name(), pod.uid());
                self.running.insert(key, (id, ip));
            }
            None => _ = self.running.remove(&key),
        }
    }

    fn delete(&mut self, pod: WatchedObject) {
        self.running.remove(&(pod.namespace().to_owned(), pod.name().to_owned()));
    }

    fn reset(&mut self, pods: Vec<WatchedObject>) {
        self.running.clear();
        pods.into_iter().for_each(|pod| self.apply(pod));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::runs(json!({}), true)]
    #[case::starts(json!({"status": {"phase": "Pending", "podIP": null}}), false)]
    #[case::has_no_address(json!({"status": {"podIP": null}}), false)]
    #[case::terminates(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), false)]
    #[case::has_failed(json!({"status": {"phase": "Failed"}}), false)]
    fn only_a_gateway_that_runs_is_asked(#[case] change: Value, #[case] is_asked: bool) {
        let mut index = GatewayIndex::default();
        let mut pod = json!({
            "metadata": {"namespace": "apisix", "name": "gateway", "uid": "u"},
            "status": {"phase": "Running", "podIP": "10.0.0.9"},
        });
        index.apply(serde_json::from_str(&pod.to_string()).unwrap());
        assert_eq!(index.running().count(), 1);
        json_patch::merge(&mut pod, &change);
        index.apply(serde_json::from_str(&pod.to_string()).unwrap());
        assert_eq!(index.running().count(), usize::from(is_asked), "{pod}");
    }
}
