//! The running Pods that do not wait long enough before they stop.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    audit::{AuditFinding, AuditSettings, NamespaceOptIn, overlooked},
    cause::FindingCause,
    finding::{Finding, Subject},
    unprotected_pod::{ENTRY_BYTES, UnprotectedPod},
};
use crate::{
    constants::MAX_NAMESPACE_BYTES,
    upstreams::{Snapshot, Target},
};

/// The running Pods that do not wait long enough before they stop. A Pod that does takes no memory.
#[derive(Debug, Default)]
pub struct RunningPods {
    namespaces: HashMap<Arc<str>, NamespacePods>,
    changed: HashSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct NamespacePods {
    by_name: HashMap<Box<str>, Running>,
    /// How many Pods are equal, and of these, how many were created at the same time.
    counts: HashMap<Arc<UnprotectedPod>, BTreeMap<Arc<str>, usize>>,
    bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Running {
    pod: Arc<UnprotectedPod>,
    created: Arc<str>,
}

impl RunningPods {
    /// A Pod, created at `created`, has changed. `None` if it waits long enough.
    pub fn apply(
        &mut self,
        namespace: &str,
        name: &str,
        created: &str,
        pod: Option<UnprotectedPod>,
    ) {
        let earlier = self.namespaces.get(namespace).and_then(|pods| pods.by_name.get(name));
        let earlier = earlier.map(|it| (&*it.pod, &*it.created));
        if earlier == pod.as_ref().map(|pod| (pod, created)) {
            return;
        }
        let namespace = self.changes(namespace);
        let pods = self.namespaces.entry(namespace.clone()).or_default();
        pods.remove(name);
        if let Some(pod) = pod {
            pods.insert(name, created, pod);
        }
        if pods.by_name.is_empty() {
            self.namespaces.remove(&namespace);
        }
    }

    /// A Pod was deleted.
    pub fn delete(&mut self, namespace: &str, name: &str) {
        self.apply(namespace, name, "", None);
    }

    /// `listed` are all Pods that do not wait long enough: those of one namespace, or those of all.
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

    /// What a person should know of a namespace that has opted in.
    pub fn findings(
        &self,
        namespace: &Arc<str>,
        opt_in: &NamespaceOptIn,
        snapshot: &Snapshot,
        settings: &AuditSettings,
    ) -> Vec<Finding> {
        let mut workloads = BTreeMap::<_, Finding>::new();
        let counts = self.namespaces.get(namespace).into_iter().flat_map(|pods| &pods.counts);
        for (pod, times) in counts {
            let target = snapshot.target(namespace, pod.labels.iter());
            if !matches!(target, Target::Upstream { .. }) {
                continue;
            }
            for (created, count) in times {
                let found = match &pod.finding {
                    AuditFinding::CreatedWithoutWebhook => {
                        overlooked(created, Some(opt_in), target.since(), settings)
                    }
                    found => found.clone(),
                };
                let finding =
                    workloads.entry((&pod.workload, found.name())).or_insert_with(|| Finding {
                        namespace: namespace.clone(),
                        subject: Subject::Workload(pod.workload.clone()),
                        cause: FindingCause::Pod(found),
                        pods: 0,
                        target: target.clone(),
                    });
                finding.pods += count;
            }
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
    fn insert(&mut self, name: &str, created: &str, pod: UnprotectedPod) {
        let known = self.counts.get_key_value(&pod);
        let known_time = known.and_then(|(_, times)| times.get_key_value(created));
        let more = if known.is_some() { 0 } else { pod.bytes() };
        let more_time = if known_time.is_some() { 0 } else { created.len() + ENTRY_BYTES };
        let bytes = self.bytes + more + more_time + name.len() + ENTRY_BYTES;
        // Nobody who may create Pods in a namespace takes the memory of all. What is left out counts
        // when others are gone and the Pods are listed again.
        if bytes > MAX_NAMESPACE_BYTES {
            return;
        }
        let created = known_time.map_or_else(|| created.into(), |(created, _)| created.clone());
        let pod = known.map_or_else(|| Arc::new(pod), |(pod, _)| pod.clone());
        self.bytes = bytes;
        *self.counts.entry(pod.clone()).or_default().entry(created.clone()).or_default() += 1;
        self.by_name.insert(name.into(), Running { pod, created });
    }

    fn remove(&mut self, name: &str) {
        let Some(Running { pod, created }) = self.by_name.remove(name) else { return };
        self.bytes -= name.len() + ENTRY_BYTES;
        let Some(times) = self.counts.get_mut(&pod) else { return };
        let Some(count) = times.get_mut(&created) else { return };
        *count -= 1;
        if *count == 0 {
            times.remove(&created);
            self.bytes -= created.len() + ENTRY_BYTES;
        }
        if times.is_empty() {
            self.counts.remove(&pod);
            self.bytes -= pod.bytes();
        }
    }
}
