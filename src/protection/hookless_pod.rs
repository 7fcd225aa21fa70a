//! A running Pod that lacks a sleep.

use super::lack::{Lack, reason_now};
use crate::{
    injection::{OwnerReference, Pod, Policy, Reason},
    upstreams::StringMap,
};

/// What is kept of a running Pod that lacks a sleep. The Pods of a ReplicaSet have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HooklessPod {
    /// Its labels.
    pub labels: StringMap,
    /// What controls it, or the Pod itself.
    pub workload: WorkloadReference,
    /// What the webhook would say of it now.
    pub reason: Reason,
}

/// The object that controls a Pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadReference {
    /// Its API group and version, such as `apps/v1`.
    pub api_version: String,
    /// Its kind, such as `ReplicaSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl From<&OwnerReference<'_>> for WorkloadReference {
    fn from(owner: &OwnerReference<'_>) -> Self {
        Self {
            api_version: owner.api_version.clone().into_owned(),
            kind: owner.kind.clone().into_owned(),
            name: owner.name.clone().into_owned(),
            uid: owner.uid.clone().into_owned(),
        }
    }
}

impl HooklessPod {
    /// What is kept of `pod`, whose UID is `uid`. `None` if it has a sleep, or if it needs none.
    pub fn of(pod: &Pod<'_>, uid: &str, policy: &Policy) -> Option<Self> {
        let reason = reason_now(pod, policy);
        if Lack::of(reason)?.is_decided() {
            return None;
        }
        let metadata = pod.metadata.as_ref()?;
        let labels = metadata.labels.iter();
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let workload = match pod.controller() {
            Some(owner) => owner.into(),
            None => WorkloadReference {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                name: metadata.name.clone().into_owned(),
                uid: uid.to_owned(),
            },
        };
        Some(Self { labels, workload, reason })
    }

    /// How much memory it takes, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let WorkloadReference { api_version, kind, name, uid } = &self.workload;
        let labels = self.labels.iter().map(|(key, value)| key.len() + value.len() + ENTRY_BYTES);
        let reference = [api_version, kind, name, uid].iter().map(|text| text.len()).sum::<usize>();
        size_of::<Self>() + reference + labels.sum::<usize>()
    }
}

/// What an entry of a map takes beside its text, about.
pub(super) const ENTRY_BYTES: usize = 64;
