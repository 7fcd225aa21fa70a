//! Restarts a workload, and watches its Pods go.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1, apimachinery::pkg::apis::meta::v1::LabelSelector, jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ApiResource, ListParams, Patch, PatchParams},
    core::Selector,
    runtime::watcher,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        read_error::{ReadError, in_time},
        watch::{Follower, Index},
        watched_object::WatchedObject,
    },
    pod_end::ends_at_once,
};
use crate::constants::{API_REQUEST_TIMEOUT, MAX_RESTARTED_PODS};

/// The Pods of a workload that was restarted.
pub(crate) struct Restart {
    follower: Follower<WatchedObject>,
    pods: RestartedPods,
}

/// Those that are to go, by their UID: whether a container has ended within a second of SIGTERM, as far
/// as that was seen.
#[derive(Default)]
struct RestartedPods {
    before: BTreeMap<String, Option<bool>>,
    /// Whether that is so of one that has gone.
    ends_at_once: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RestartedText {
    spec: RestartedSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RestartedSpec {
    selector: LabelSelector,
}

impl Restart {
    /// Restarts a workload, as `kubectl rollout restart` does.
    ///
    /// # Errors
    /// When it does not exist, cannot be read or cannot be changed.
    pub(crate) async fn begin(
        client: Client,
        namespace: &str,
        resource: &ApiResource,
        name: &str,
    ) -> Result<Self, ReadError> {
        let workloads = Api::<WatchedObject>::namespaced_with(client.clone(), namespace, resource);
        let workload = in_time(API_REQUEST_TIMEOUT, workloads.get(name)).await?;
        let RestartedText { spec } = serde_json::from_str(workload.text()).unwrap_or_default();
        // The API server takes no workload with another selector.
        let labels = Selector::try_from(spec.selector).unwrap_or_default().to_string();
        let pods = ApiResource::erase::<v1::Pod>(&());
        let pods = Api::<WatchedObject>::namespaced_with(client, namespace, &pods);
        let of_workload = ListParams::default().labels(&labels).limit(MAX_RESTARTED_PODS);
        let listed = in_time(API_REQUEST_TIMEOUT, pods.list(&of_workload)).await?;
        let mut restarted = RestartedPods::default();
        for pod in listed.items {
            restarted.before.insert(pod.uid().to_owned(), ends_at_once(pod.text()));
        }
        let restarted_at = Timestamp::now().strftime("%FT%TZ").to_string();
        let annotation = json!({"kubectl.kubernetes.io/restartedAt": restarted_at});
        let patch = json!({"spec": {"template": {"metadata": {"annotations": annotation}}}});
        let patch = workloads.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patch.map_err(ReadError::Api)?;
        let config = watcher::Config::default().labels(&labels);
        let follower = Follower::new(pods, config, format!("Pods of {name}"));
        Ok(Self { follower, pods: restarted })
    }

    /// Waits until all Pods of before have gone. Tells whether a container has ended within a second of
    /// SIGTERM, as far as that could be seen.
    pub(crate) async fn gone(mut self) -> bool {
        while !self.pods.before.is_empty() {
            self.follower.follow(&mut self.pods).await;
        }
        self.pods.ends_at_once
    }
}

impl RestartedPods {
    fn go(&mut self, uid: &str, last: Option<bool>) {
        if let Some(seen) = self.before.remove(uid) {
            self.ends_at_once |= last.or(seen) == Some(true);
        }
    }
}

impl Index<WatchedObject> for RestartedPods {
    fn apply(&mut self, pod: WatchedObject) {
        if let Some(end) = self.before.get_mut(pod.uid()) {
            *end = ends_at_once(pod.text()).or(*end);
        }
    }

    fn delete(&mut self, pod: WatchedObject) {
        self.go(pod.uid(), ends_at_once(pod.text()));
    }

    fn reset(&mut self, pods: Vec<WatchedObject>) {
        let is_there = |uid: &String| pods.iter().any(|pod| pod.uid() == uid);
        let gone: Vec<_> = self.before.keys().filter(|uid| !is_there(uid)).cloned().collect();
        gone.iter().for_each(|uid| self.go(uid, None));
        pods.into_iter().for_each(|pod| self.apply(pod));
    }
}
