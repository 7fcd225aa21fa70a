//! The EndpointSlices of the cluster, as a watch keeps them.

use super::super::{watch::Index, watched_object::WatchedObject};
use crate::propagation::{EndpointChange, EndpointIndex, EndpointSlice};

/// The EndpointSlices of the cluster, and what has changed about their Pods.
#[derive(Default)]
pub(super) struct SliceIndex {
    index: EndpointIndex,
    /// Those of a list that is not complete, without what nobody reads.
    listed: Vec<(String, String, EndpointSlice)>,
    changes: Vec<EndpointChange>,
    /// Pods that have left while there was no watch: nobody knows when.
    missed: Vec<EndpointChange>,
}

impl SliceIndex {
    /// What has changed, and whether it was seen when it happened. Changes while there was no watch
    /// come first.
    pub(super) fn take_changes(&mut self) -> impl Iterator<Item = (EndpointChange, bool)> + use<> {
        let missed = std::mem::take(&mut self.missed).into_iter().map(|change| (change, false));
        missed.chain(std::mem::take(&mut self.changes).into_iter().map(|change| (change, true)))
    }
}

impl Index<WatchedObject> for SliceIndex {
    fn begin_list(&mut self) {
        self.listed.clear();
    }

    fn list(&mut self, object: WatchedObject) -> Option<WatchedObject> {
        let slice = EndpointSlice::read(object.text());
        self.listed.push((object.namespace().to_owned(), object.name().to_owned(), slice));
        None
    }

    fn apply(&mut self, object: WatchedObject) {
        let slice = EndpointSlice::read(object.text());
        self.changes.extend(self.index.apply(object.namespace(), object.name(), slice));
    }

    fn delete(&mut self, object: WatchedObject) {
        self.changes.extend(self.index.delete(object.namespace(), object.name()));
    }

    fn reset(&mut self, _: Vec<WatchedObject>) {
        let listed = std::mem::take(&mut self.listed);
        let names = listed.iter().map(|(namespace, name, _)| (namespace.as_str(), name.as_str()));
        for (namespace, name) in self.index.others(names) {
            self.missed.extend(self.index.delete(&namespace, &name));
        }
        for (namespace, name, slice) in listed {
            self.missed.extend(self.index.apply(&namespace, &name, slice));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(pods: &[&str]) -> WatchedObject {
        let endpoints: Vec<_> = pods
            .iter()
            .map(|pod| {
                let pod = json!({"kind": "Pod", "name": pod, "uid": pod});
                json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "targetRef": pod})
            })
            .collect();
        let slice = json!({
            "metadata": {"namespace": "shop", "name": "web", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": endpoints, "ports": [{"port": 80}],
        });
        serde_json::from_str(&slice.to_string()).unwrap()
    }

    /// What was seen when it happened, and what was not.
    fn take(index: &mut SliceIndex) -> (Vec<EndpointChange>, Vec<EndpointChange>) {
        let (seen, missed): (Vec<_>, Vec<_>) =
            index.take_changes().partition(|(_, is_seen)| *is_seen);
        let changes = |of: Vec<(EndpointChange, bool)>| of.into_iter().map(|(it, _)| it).collect();
        (changes(seen), changes(missed))
    }

    fn left<'c>(changes: &'c [EndpointChange]) -> Vec<&'c str> {
        let left = |change: &'c EndpointChange| match change {
            EndpointChange::Left { pod, .. } => Some(&*pod.name),
            EndpointChange::Ready(..) => None,
        };
        changes.iter().filter_map(left).collect()
    }

    #[test]
    fn a_pod_that_left_while_there_was_no_watch_is_told_apart() {
        let mut index = SliceIndex::default();
        let mut relist = |pods: &[&str]| {
            index.begin_list();
            assert!(index.list(slice(pods)).is_none(), "kube keeps nothing of a list");
            index.reset(Vec::new());
            take(&mut index)
        };
        let (changes, missed) = relist(&["web-0", "web-1"]);
        assert!(changes.is_empty() && left(&missed).is_empty(), "the first list has who is ready");
        assert_eq!(missed.len(), 2);
        let (changes, missed) = relist(&["web-1"]);
        assert!(changes.is_empty());
        assert_eq!(left(&missed), ["web-0"]);
        index.apply(slice(&[]));
        let (changes, missed) = take(&mut index);
        assert_eq!((left(&changes), missed.len()), (vec!["web-1"], 0));
    }
}
