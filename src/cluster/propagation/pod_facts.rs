//! What is read of a Pod that has left its Services.

use k8s_openapi::api::core::v1;
use kube::{Api, Client, api::ApiResource};

use super::super::{read_error::in_time, watched_object::WatchedObject};
use crate::{
    constants::API_REQUEST_TIMEOUT,
    injection::{HookWait, Pod},
    propagation::PodId,
    protection::WorkloadPlace,
};

/// What is read of a Pod that has left its Services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodFacts {
    /// Its workload.
    pub(crate) place: WorkloadPlace,
    /// How long each of its containers sleeps at least before it stops, in seconds. `None` if nobody
    /// can tell.
    pub(crate) sleep: Option<u64>,
}

/// Reads a Pod. `None` if it is gone, or cannot be read.
pub(super) async fn pod_facts(client: &Client, pod: &PodId) -> Option<PodFacts> {
    let resource = ApiResource::erase::<v1::Pod>(&());
    let api = Api::<WatchedObject>::namespaced_with(client.clone(), &pod.namespace, &resource);
    let found = in_time(API_REQUEST_TIMEOUT, api.get_opt(&pod.name)).await;
    let found = found.ok()?.filter(|found| found.uid() == &*pod.uid)?;
    facts(&found)
}

fn facts(object: &WatchedObject) -> Option<PodFacts> {
    let pod = serde_json::from_str::<Pod<'_>>(object.text()).ok()?;
    // The first container to stop may be the one that serves. An unknown wait leaves the others.
    let sleep = sleeps(&pod).filter_map(|(_, sleep)| sleep).min();
    Some(PodFacts { place: WorkloadPlace::of(object.namespace(), &pod), sleep })
}

/// How long a container sleeps before it stops, in seconds. `None` if nobody can tell.
pub(super) fn sleep_of_container(pod: &Pod<'_>, name: &str) -> Option<u64> {
    sleeps(pod).find(|(container, _)| *container == name)?.1
}

fn sleeps<'p>(pod: &'p Pod<'_>) -> impl Iterator<Item = (&'p str, Option<u64>)> {
    let grace = u64::try_from(pod.grace_period()).unwrap_or_default();
    pod.hook_waits().map(move |(name, wait)| {
        let sleep = match wait {
            HookWait::Sleeps(seconds) => Some(seconds.min(grace)),
            HookWait::Missing | HookWait::EndsListener => Some(0),
            HookWait::Unknown => None,
        };
        (name, sleep)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn sleeps(seconds: u64) -> Value {
        json!({"name": "c", "lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}})
    }

    #[rstest]
    #[case::sleeps(json!([sleeps(5)]), 30, Some(5))]
    #[case::the_shortest_counts(json!([sleeps(15), sleeps(5)]), 30, Some(5))]
    #[case::no_hook(json!([sleeps(5), {"name": "d"}]), 30, Some(0))]
    #[case::the_grace_period_cuts(json!([sleeps(40)]), 30, Some(30))]
    #[case::unknown(json!([{"name": "c", "lifecycle": {"preStop": {"exec": {"command": ["/drain"]}}}}]), 30, None)]
    fn how_long_a_pod_sleeps(
        #[case] containers: Value,
        #[case] grace: i64,
        #[case] expected: Option<u64>,
    ) {
        let pod = json!({
            "metadata": {"name": "web-0", "namespace": "shop", "uid": "u"},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": grace},
        });
        let facts = facts(&serde_json::from_str(&pod.to_string()).unwrap()).unwrap();
        assert_eq!(facts.sleep, expected, "{pod}");
    }
}
