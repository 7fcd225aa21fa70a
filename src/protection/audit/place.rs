//! Where a workload is, and how commands name it.

use std::fmt;

use serde::Serialize;

use crate::{injection::Pod, object_name::is_object_name};

/// A workload and one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct WorkloadPlace {
    /// The namespace.
    pub namespace: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// Which of its Pod templates the Pods are of; empty where the kind has no revisions.
    pub revision: String,
}

/// By what the controllers of these kinds tell the Pods of their revisions apart.
const TEMPLATE_HASH: &str = "pod-template-hash";
const REVISION_HASH: &str = "controller-revision-hash";

impl WorkloadPlace {
    /// A revision of a workload.
    pub fn new(namespace: &str, kind: &str, name: &str, revision: &str) -> Self {
        let [namespace, kind, name, revision] =
            [namespace, kind, name, revision].map(str::to_owned);
        Self { namespace, kind, name, revision }
    }

    /// The workload of a running Pod. The name of a ReplicaSet is that of its Deployment with the
    /// hash of the template.
    pub fn of(namespace: &str, pod: &Pod<'_>) -> Self {
        let metadata = pod.metadata.as_ref();
        let label = |key: &str| metadata?.labels.get(key);
        let of =
            |kind: &str, name: &str, revision: &str| Self::new(namespace, kind, name, revision);
        let Some(controller) = pod.controller() else {
            return of("Pod", metadata.map_or("", |metadata| metadata.display_name()), "");
        };
        let hash = label(TEMPLATE_HASH).filter(|_| controller.kind == "ReplicaSet");
        let deployment = hash.and_then(|hash| {
            let name = controller.name.strip_suffix(hash)?.strip_suffix('-')?;
            Some(of("Deployment", name, hash))
        });
        let revision = label(REVISION_HASH).unwrap_or_default();
        deployment.unwrap_or_else(|| of(&controller.kind, &controller.name, revision))
    }

    /// Whether there can be such an object. Whoever creates a Pod chooses what its owner is called,
    /// and a manifest can have any names: they must not become a part of a command.
    pub(super) fn is_an_object(&self) -> bool {
        let is_kind = |kind: &str| kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_object_name(&self.namespace) && is_object_name(&self.name) && is_kind(&self.kind)
    }

    /// Whether `kubectl rollout restart` starts its Pods anew.
    pub(in crate::protection) fn is_restartable(&self) -> bool {
        matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
    }

    /// A merge patch of the Pod template.
    pub(super) fn in_template(&self, members: &str) -> String {
        match self.kind.as_str() {
            "Pod" => format!("{{{members}}}"),
            "CronJob" => format!(
                r#"{{"spec": {{"jobTemplate": {{"spec": {{"template": {{{members}}}}}}}}}}}"#
            ),
            _ => format!(r#"{{"spec": {{"template": {{{members}}}}}}}"#),
        }
    }

    /// The command that patches it.
    pub(super) fn patch(&self, patch: &str) -> String {
        let namespace = &self.namespace;
        format!("kubectl -n {namespace} patch {self} --type merge --patch '{patch}'")
    }
}

/// As kubectl takes it.
impl fmt::Display for WorkloadPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_ascii_lowercase(), self.name)
    }
}
