//! The running Pods that lack a sleep.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    cause::FindingCause,
    finding::{Finding, Subject},
    hookless_pod::{ENTRY_BYTES, HooklessPod},
};
use crate::{
    constants::MAX_NAMESPACE_BYTES,
    upstreams::{Snapshot, Target},
};

/// The running Pods that lack a sleep. A Pod that has one takes no memory.
#[derive(Debug, Default)]
pub struct RunningPods {
    namespaces: HashMap<Arc<str>, NamespacePods>,
    changed: HashSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct NamespacePods {
    by_name: HashMap<Box<str>, Arc<HooklessPod>>,
    /// How many Pods are equal.
    counts: HashMap<Arc<HooklessPod>, usize>,
    bytes: usize,
}

impl RunningPods {
    /// A Pod was created or has changed. `None` if it does not lack a sleep.
    pub fn apply(&mut self, namespace: &str, name: &str, pod: Option<HooklessPod>) {
        let earlier = self.namespaces.get(namespace).and_then(|pods| pods.by_name.get(name));
        if earlier.map(|pod| &**pod) == pod.as_ref() {
            return;
        }
        let namespace = self.changes(namespace);
        let pods = self.namespaces.entry(namespace.clone()).or_default();
        pods.remove(name);
        if let Some(pod) = pod {
            pods.insert(name, pod);
        }
        if pods.by_name.is_empty() {
            self.namespaces.remove(&namespace);
        }
    }

    /// A Pod was deleted.
    pub fn delete(&mut self, namespace: &str, name: &str) {
        self.apply(namespace, name, None);
    }

    /// `listed` are all Pods that lack a sleep: those of one namespace, or those of all.
    pub fn replace(&mut self, namespace: Option<&str>, mut listed: Self) {
        let Some(namespace) = namespace else {
            self.changed.extend(self.namespaces.drain().map(|(namespace, _)| namespace));
            self.changed.extend(listed.namespaces.keys().cloned());
            self.namespaces = listed.namespaces;
            return;
        };
        let namespace = self.changes(namespace);
        match listed.namespaces.remove(&namespace) {
            Some(pods) => _ = self.namespaces.insert(namespace, pods),
            None => _ = self.namespaces.remove(&namespace),
        }
    }

    /// The namespaces that have changed since the last call.
    pub fn take_changed(&mut self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.changed)
    }

    /// What a person should know of a namespace.
    pub fn findings(&self, namespace: &Arc<str>, snapshot: &Snapshot) -> Vec<Finding> {
        let mut workloads = BTreeMap::<_, Finding>::new();
        let counts = self.namespaces.get(namespace).into_iter().flat_map(|pods| &pods.counts);
        for (pod, count) in counts {
            let target = snapshot.target(namespace, pod.labels.iter());
            if !matches!(target, Target::Upstream { .. }) {
                continue;
            }
            let finding =
                workloads.entry((&pod.workload, pod.reason.as_str())).or_insert_with(|| Finding {
                    namespace: namespace.clone(),
                    subject: Subject::Workload(pod.workload.clone()),
                    cause: FindingCause::Pod(pod.reason),
                    pods: 0,
                    target,
                });
            finding.pods += count;
        }
        let limits = snapshot.limits(namespace).iter().map(|(object, limit)| Finding {
            namespace: namespace.clone(),
            subject: Subject::Object(object.clone()),
            cause: FindingCause::Route(*limit),
            pods: 0,
            target: Target::Unknown,
        });
        workloads.into_values().chain(limits).collect()
    }

    /// Notes that a namespace changes, and returns the text that is shared.
    fn changes(&mut self, namespace: &str) -> Arc<str> {
        if let Some(known) = self.changed.get(namespace) {
            return known.clone();
        }
        let known = self.namespaces.get_key_value(namespace).map(|(known, _)| known.clone());
        let known = known.unwrap_or_else(|| namespace.into());
        self.changed.insert(known.clone());
        known
    }
}

impl NamespacePods {
    fn insert(&mut self, name: &str, pod: HooklessPod) {
        let known = self.counts.get_key_value(&pod).map(|(pod, _)| pod.clone());
        let more = if known.is_some() { 0 } else { pod.bytes() };
        let bytes = self.bytes + more + name.len() + ENTRY_BYTES;
        // Nobody who may create Pods in a namespace takes the memory of all. What is left out counts
        // when others are gone and the Pods are listed again.
        if bytes > MAX_NAMESPACE_BYTES {
            return;
        }
        self.bytes = bytes;
        let pod = known.unwrap_or_else(|| Arc::new(pod));
        *self.counts.entry(pod.clone()).or_default() += 1;
        self.by_name.insert(name.into(), pod);
    }

    fn remove(&mut self, name: &str) {
        let Some(pod) = self.by_name.remove(name) else { return };
        self.bytes -= name.len() + ENTRY_BYTES;
        if let Some(count) = self.counts.get_mut(&pod) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&pod);
                self.bytes -= pod.bytes();
            }
        }
    }
}
