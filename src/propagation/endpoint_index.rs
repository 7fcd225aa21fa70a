//! Which Pods are ready behind any Service.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
};

use super::{endpoint_slice::EndpointSlice, pod_id::PodId};
use crate::constants::{MAX_ENDPOINT_SLICES, MAX_ENDPOINTS};

/// Which Pods are ready behind any Service: a Pod leaves when no EndpointSlice has it ready any more.
#[derive(Debug, Default)]
pub struct EndpointIndex {
    /// By namespace and name.
    slices: BTreeMap<(String, String), EndpointSlice>,
    /// How many slices have each Pod ready.
    pods: HashMap<PodId, usize>,
    /// How many endpoints all slices have.
    endpoints: usize,
}

/// What has changed about a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointChange {
    /// It is ready at these addresses.
    Ready(PodId, BTreeSet<SocketAddr>),
    /// It is not ready any more.
    Left {
        /// The Pod.
        pod: PodId,
        /// The Service whose EndpointSlice was the last to have it.
        service: String,
    },
}

impl EndpointIndex {
    /// An EndpointSlice was created or has changed. Beyond the bounds, it counts as empty.
    pub fn apply(
        &mut self,
        namespace: &str,
        name: &str,
        mut slice: EndpointSlice,
    ) -> Vec<EndpointChange> {
        let key = (namespace.to_owned(), name.to_owned());
        if self.slices.len() >= MAX_ENDPOINT_SLICES && !self.slices.contains_key(&key) {
            return Vec::new();
        }
        let before = self.slices.remove(&key).unwrap_or_default();
        let others = self.endpoints.saturating_sub(before.ready.len());
        if others + slice.ready.len() > MAX_ENDPOINTS {
            slice.ready.clear();
        }
        self.endpoints = others + slice.ready.len();
        let (service, now) = (slice.service.clone(), slice.ready.clone());
        self.slices.insert(key, slice);
        self.change(before.ready, now, &service)
    }

    /// An EndpointSlice was deleted.
    pub fn delete(&mut self, namespace: &str, name: &str) -> Vec<EndpointChange> {
        let before = self.slices.remove(&(namespace.to_owned(), name.to_owned()));
        let EndpointSlice { service, ready } = before.unwrap_or_default();
        self.endpoints = self.endpoints.saturating_sub(ready.len());
        self.change(ready, BTreeMap::new(), &service)
    }

    /// The EndpointSlices that are none of `kept`.
    pub fn others<'k>(
        &self,
        kept: impl Iterator<Item = (&'k str, &'k str)>,
    ) -> Vec<(String, String)> {
        let kept: BTreeSet<_> = kept.collect();
        let is_kept = |(namespace, name): &&(String, String)| {
            kept.contains(&(namespace.as_str(), name.as_str()))
        };
        self.slices.keys().filter(|key| !is_kept(key)).cloned().collect()
    }

    fn change(
        &mut self,
        before: BTreeMap<PodId, BTreeSet<SocketAddr>>,
        now: BTreeMap<PodId, BTreeSet<SocketAddr>>,
        service: &str,
    ) -> Vec<EndpointChange> {
        for pod in now.keys() {
            *self.pods.entry(pod.clone()).or_default() += 1;
        }
        let mut changes = Vec::new();
        for pod in before.keys() {
            let Some(slices) = self.pods.get_mut(pod) else { continue };
            *slices = slices.saturating_sub(1);
            if *slices == 0 {
                self.pods.remove(pod);
                changes
                    .push(EndpointChange::Left { pod: pod.clone(), service: service.to_owned() });
            }
        }
        for (pod, addresses) in now {
            if before.get(&pod) != Some(&addresses) {
                changes.push(EndpointChange::Ready(pod, addresses));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A slice of the Service `name` with these Pods ready: `web-0=10.0.0.1:80`.
    fn slice(name: &str, ready: &[&str]) -> EndpointSlice {
        let mut pods = BTreeMap::<_, BTreeSet<_>>::new();
        for pod in ready {
            let (pod, address) = pod.split_once('=').unwrap();
            pods.entry(PodId::new("shop", pod, pod)).or_default().insert(address.parse().unwrap());
        }
        EndpointSlice { service: name.to_owned(), ready: pods }
    }

    fn text(changes: Vec<EndpointChange>) -> Vec<String> {
        let text = |change| match change {
            EndpointChange::Ready(pod, addresses) => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                format!("{} ready at {}", pod.name, addresses.join(" "))
            }
            EndpointChange::Left { pod, service } => format!("{} left {service}", pod.name),
        };
        changes.into_iter().map(text).collect()
    }

    const WEB: &str = "web-0=10.0.0.1:80";

    #[rstest]
    #[case::appears(&[], &[WEB], &["web-0 ready at 10.0.0.1:80"])]
    #[case::stays(&[WEB], &[WEB], &[])]
    #[case::leaves(&[WEB], &[], &["web-0 left web"])]
    #[case::is_replaced(&[WEB], &["web-1=10.0.0.2:80"], &["web-0 left web", "web-1 ready at 10.0.0.2:80"])]
    #[case::has_another_port(&[WEB], &["web-0=10.0.0.1:81"], &["web-0 ready at 10.0.0.1:81"])]
    fn what_a_new_slice_changes(
        #[case] before: &[&str],
        #[case] now: &[&str],
        #[case] expected: &[&str],
    ) {
        let mut index = EndpointIndex::default();
        index.apply("shop", "web-abc", slice("web", before));
        assert_eq!(text(index.apply("shop", "web-abc", slice("web", now))), expected);
    }

    #[test]
    fn a_pod_of_two_services_leaves_with_the_last() {
        let mut index = EndpointIndex::default();
        index.apply("shop", "web-abc", slice("web", &[WEB]));
        let ready = index.apply("shop", "all-abc", slice("all", &["web-0=10.0.0.1:81"]));
        assert_eq!(text(ready), ["web-0 ready at 10.0.0.1:81"]);
        assert_eq!(text(index.apply("shop", "web-abc", slice("web", &[]))), [""; 0]);
        assert_eq!(text(index.delete("shop", "all-abc")), ["web-0 left all"]);
    }

    #[test]
    fn a_pod_that_moves_to_another_slice_does_not_leave() {
        let mut index = EndpointIndex::default();
        index.apply("shop", "web-abc", slice("web", &[WEB]));
        index.apply("shop", "web-def", slice("web", &[WEB]));
        assert_eq!(text(index.delete("shop", "web-abc")), [""; 0]);
    }

    #[test]
    fn a_new_list_has_no_others() {
        let mut index = EndpointIndex::default();
        index.apply("shop", "web-abc", slice("web", &[WEB]));
        index.apply("shop", "all-abc", slice("all", &[]));
        let others = index.others([("shop", "all-abc")].into_iter());
        assert_eq!(others, [("shop".to_owned(), "web-abc".to_owned())]);
    }

    #[test]
    fn the_number_of_slices_is_bounded() {
        let mut index = EndpointIndex::default();
        for i in 0..MAX_ENDPOINT_SLICES + 10 {
            index.apply("shop", &format!("web-{i}"), EndpointSlice::default());
        }
        assert_eq!(index.slices.len(), MAX_ENDPOINT_SLICES);
        index.delete("shop", "web-0");
        index.apply("shop", "web-x", slice("web", &[WEB]));
        assert_eq!(index.pods.len(), 1, "there is room again");
    }

    #[test]
    fn the_number_of_endpoints_is_bounded() {
        let pods = |from: usize, count: usize| {
            let pod = |i: usize| PodId::new("shop", "web", &i.to_string());
            let address = BTreeSet::from([SocketAddr::from(([10, 0, 0, 1], 80))]);
            let ready = (from..from + count).map(|i| (pod(i), address.clone())).collect();
            EndpointSlice { service: "web".to_owned(), ready }
        };
        let mut index = EndpointIndex::default();
        index.apply("shop", "a", pods(0, MAX_ENDPOINTS));
        index.apply("shop", "b", pods(MAX_ENDPOINTS, 10));
        assert_eq!(index.pods.len(), MAX_ENDPOINTS);
        index.apply("shop", "a", pods(0, 1));
        index.apply("shop", "b", pods(MAX_ENDPOINTS, 10));
        assert_eq!(index.pods.len(), 11, "there is room again");
    }
}
