//! A running Pod that does not wait long enough before it stops.

use super::audit::{AuditFinding, AuditSettings, AuditedPod};
use crate::{constants::MAX_LABEL_BYTES, injection::OwnerReference, upstreams::StringMap};

/// What is kept of a running Pod that does not wait long enough before it stops. The Pods of a
/// ReplicaSet have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnprotectedPod {
    /// Its labels.
    pub labels: StringMap,
    /// What controls it, or the Pod itself.
    pub workload: WorkloadReference,
    /// The worst that an audit finds about it, as long as nothing is known of its namespace and its
    /// route.
    pub finding: AuditFinding,
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

impl UnprotectedPod {
    /// What is kept of a Pod whose UID is `uid`. `None` if it waits long enough, or if somebody has
    /// decided that it does not wait.
    pub fn of(audited: &AuditedPod<'_, '_>, uid: &str, settings: &AuditSettings) -> Option<Self> {
        if audited.pod.is_too_large() {
            return None;
        }
        let findings = audited.findings(settings);
        let worst = findings.into_iter().min_by_key(|finding| finding.name().protection())?;
        if !worst.name().is_watched() {
            return None;
        }
        let metadata = audited.pod.metadata.as_ref()?;
        let labels = metadata.labels.iter();
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let workload = match audited.pod.controller() {
            Some(owner) => owner.into(),
            None => WorkloadReference {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                name: metadata.name.clone().into_owned(),
                uid: uid.to_owned(),
            },
        };
        Some(Self { labels, workload, finding: worst })
    }

    /// How much memory it takes, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let WorkloadReference { api_version, kind, name, uid } = &self.workload;
        let labels = self.labels.iter().map(|(key, value)| key.len() + value.len() + ENTRY_BYTES);
        let reference = [api_version, kind, name, uid].iter().map(|text| text.len()).sum::<usize>();
        // No finding that is kept has more text than the name of a container.
        size_of::<Self>() + reference + labels.sum::<usize>() + MAX_LABEL_BYTES
    }
}

/// What an entry of a map takes beside its text, about.
pub(super) const ENTRY_BYTES: usize = 64;
