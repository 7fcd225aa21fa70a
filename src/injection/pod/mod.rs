//! The fields of a Pod that the decision reads.
//!
//! They borrow from the bytes of the request: reading a Pod costs little more than skipping it, and
//! fields that Kubernetes adds later do not matter.

mod bounded;
mod container;
mod entries;
mod hook;
mod windows;

pub use bounded::Bounded;
pub use container::{Container, ContainerPort, Lifecycle, Probe};
pub use entries::{AnnotationsBytes, KnownAnnotations, Labels, Presence};
pub use hook::{ExecAction, ExistingHook, HttpGetAction, Port, SleepAction, Word};
pub use windows::{Affinity, NodeSelector, PodOs, SecurityContext};

use std::{borrow::Cow, fmt};

use serde::Deserialize;

use crate::constants::{
    INJECT_LABEL, INJECTED_ANNOTATION, KEY_PREFIX, MAX_ANNOTATIONS_BYTES, MAX_CONTAINERS,
    MAX_LABEL_BYTES, MAX_NAME_BYTES, MAX_OWNERS, MIRROR_ANNOTATION,
};

/// A core/v1 Pod, or a Pod template.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod<'a> {
    /// Standard object metadata. A template may have none.
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    /// The specification.
    #[serde(borrow)]
    pub spec: PodSpec<'a>,
}

/// The metadata that the decision or the log needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Empty when a controller creates the Pod: the API server generates the name later.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The prefix of the generated name.
    #[serde(borrow)]
    pub generate_name: Cow<'a, str>,
    /// All of them: a Service selects Pods by any.
    #[serde(borrow)]
    pub labels: Labels<'a>,
    /// Only our own keys and [`MIRROR_ANNOTATION`].
    #[serde(borrow)]
    pub annotations: KnownAnnotations<'a>,
    /// The owners of the Pod.
    #[serde(borrow)]
    pub owner_references: Bounded<OwnerReference<'a>, MAX_OWNERS>,
}

impl<'a> Metadata<'a> {
    fn is_too_large(&self) -> bool {
        [&self.name, &self.generate_name].iter().any(|name| name.len() > MAX_NAME_BYTES)
            || self.labels.is_cut()
            || self.labels.get(INJECT_LABEL).is_some_and(|value| value.len() > MAX_LABEL_BYTES)
            || self.annotations.known_bytes() > MAX_ANNOTATIONS_BYTES
            || self.owner_references.is_cut()
            || self.owner_references.iter().any(OwnerReference::is_too_large)
    }

    /// The owner that controls the object.
    pub fn controller(&self) -> Option<&OwnerReference<'a>> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// The prefix of the generated name, or the name.
    pub fn name_prefix(&self) -> &str {
        if self.generate_name.is_empty() { &self.name } else { &self.generate_name }
    }

    /// The name, or the prefix of the generated name.
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() { &self.generate_name } else { &self.name }
    }
}

/// An owner of the Pod.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference<'a> {
    /// Its API group and version, such as `apps/v1`.
    #[serde(borrow, default)]
    pub api_version: Cow<'a, str>,
    /// Its kind, such as `ReplicaSet`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its UID.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// Whether it controls the Pod.
    #[serde(default)]
    pub controller: bool,
}

impl OwnerReference<'_> {
    fn is_too_large(&self) -> bool {
        let fields = [&self.api_version, &self.kind, &self.name, &self.uid];
        fields.iter().any(|field| field.len() > MAX_NAME_BYTES)
    }
}

/// Escaped: a name is checked only later, and may have line breaks.
impl fmt::Display for OwnerReference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that an API server accepts has nothing to escape, character by character.
        let is_plain =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if is_plain(&self.kind) && is_plain(&self.name) {
            return [&self.kind, "/", &self.name].iter().try_for_each(|part| f.write_str(part));
        }
        write!(f, "{}/{}", self.kind.escape_default(), self.name.escape_default())
    }
}

/// The fields of the spec that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec<'a> {
    /// The regular containers, in their order. Init and ephemeral containers are left alone: the
    /// API server forbids `lifecycle` on both, except on native sidecars, and those get SIGTERM
    /// only after all regular containers have exited (KEP-753).
    ///
    /// The API server sends null for a Pod without containers: validation comes later.
    #[serde(borrow)]
    pub containers: Bounded<Container<'a>, MAX_CONTAINERS>,
    /// The init containers. Only native sidecars among them may have hooks.
    #[serde(borrow)]
    pub init_containers: Bounded<Container<'a>, MAX_CONTAINERS>,
    /// Seconds; `None` means 30.
    pub termination_grace_period_seconds: Option<i64>,
    /// `Always`, `OnFailure` or `Never`; `None` means `Always`.
    #[serde(borrow)]
    pub restart_policy: Option<Word<'a>>,
    /// The operating system, if the Pod names it.
    #[serde(borrow)]
    pub os: Option<PodOs<'a>>,
    /// The labels that the node must have.
    #[serde(borrow)]
    pub node_selector: Option<NodeSelector<'a>>,
    /// Where the Pod may run.
    #[serde(borrow)]
    pub affinity: Option<Affinity<'a>>,
    /// The security options of the Pod.
    pub security_context: Option<SecurityContext>,
}

impl<'a> PodSpec<'a> {
    /// The regular and the init containers.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().chain(&self.init_containers)
    }

    /// Whether the containers run once. A Pod that serves requests restarts them: every controller of
    /// such Pods requires that.
    pub(super) fn runs_to_completion(&self) -> bool {
        self.restart_policy
            .as_ref()
            .is_some_and(|policy| ["Never", "OnFailure"].contains(&&*policy.0))
    }

    /// The init containers that run beside the regular containers (KEP-753).
    pub(super) fn native_sidecars(&self) -> impl Iterator<Item = &Container<'a>> {
        let is_sidecar = |container: &&Container<'_>| {
            container.restart_policy.as_ref().is_some_and(|policy| policy.0 == "Always")
        };
        self.init_containers.iter().filter(is_sidecar)
    }
}

impl<'a> Pod<'a> {
    /// Whether something is longer than the API allows, or than any Pod needs.
    pub fn is_too_large(&self) -> bool {
        let (containers, init_containers) = (&self.spec.containers, &self.spec.init_containers);
        self.metadata.as_ref().is_some_and(Metadata::is_too_large)
            || containers.is_cut()
            || init_containers.is_cut()
            || self.spec.all_containers().any(Container::is_too_large)
            || self.spec.affinity.as_ref().is_some_and(Affinity::is_too_large)
    }

    /// The value of [`INJECT_LABEL`].
    pub fn inject_label(&self) -> Option<&str> {
        self.metadata.as_ref()?.labels.get(INJECT_LABEL)
    }

    /// The value of one of our annotations.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.annotations.get(key)
    }

    /// All annotations with our prefix, including unknown ones.
    pub fn annotations_of_ours(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.iter().flat_map(|metadata| metadata.annotations.iter());
        all.filter(|(key, _)| key.starts_with(KEY_PREFIX))
    }

    /// The record of an earlier injection.
    pub(super) fn record(&self) -> Option<&str> {
        self.annotation(INJECTED_ANNOTATION)
    }

    /// The owner that controls the Pod, if there is one.
    pub fn controller(&self) -> Option<&OwnerReference<'a>> {
        self.metadata.as_ref()?.controller()
    }

    /// Whether this is the API object of a static Pod. The kubelet runs that from a file: a patch
    /// would change the object, not the containers.
    pub fn is_mirror(&self) -> bool {
        self.annotation(MIRROR_ANNOTATION).is_some()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(json: &str) -> Pod<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn borrows_from_the_input_where_it_can() {
        let pod = read(
            r#"{"metadata":{"name":"web","annotations":{"apisix-prestop/delay":"15s"}},
            "spec":{"containers":[{"name":"app","lifecycle":{"preStop":{"exec":{"command":["x"]}}}}]}}"#,
        );
        let metadata = pod.metadata.as_ref().unwrap();
        assert!(matches!(metadata.name, Cow::Borrowed("web")), "{pod:?}");
        assert!(matches!(pod.spec.containers[0].name, Cow::Borrowed("app")), "{pod:?}");
        let (key, value) = &metadata.annotations.known[0];
        assert!(matches!((key, value), (Cow::Borrowed(_), Cow::Borrowed("15s"))), "{pod:?}");
        let hook = pod.spec.containers[0].lifecycle.as_ref().unwrap().pre_stop.as_ref().unwrap();
        let command = &hook.exec.as_ref().unwrap().command;
        assert!(matches!(command[0].0, Cow::Borrowed("x")), "{pod:?}");
    }

    #[test]
    fn keeps_all_labels_and_the_annotations_that_it_knows() {
        let pod = read(
            r#"{"metadata":{"annotations":{"checksum/config":"5f","apisix-prestop/delay":"\u0037s",
            "kubernetes.io/config.mirror":"x"},"labels":{"app":"web","apisix-prestop/inject":"disabled"}}}"#,
        );
        assert_eq!(pod.metadata.as_ref().unwrap().annotations.known.len(), 2, "{pod:?}");
        assert_eq!(pod.annotation("apisix-prestop/delay"), Some("7s"));
        assert_eq!(pod.annotations_of_ours().count(), 1, "the mirror annotation is not ours");
        assert_eq!(pod.inject_label(), Some("disabled"));
        let labels: Vec<_> = pod.metadata.as_ref().unwrap().labels.iter().collect();
        assert_eq!(labels, [("app", "web"), ("apisix-prestop/inject", "disabled")]);
        assert!(pod.is_mirror());
    }

    #[rstest]
    #[case::absent(r#"{"metadata":{}}"#, Presence::Absent)]
    #[case::null(r#"{"metadata":{"annotations":null}}"#, Presence::Absent)]
    #[case::empty(r#"{"metadata":{"annotations":{}}}"#, Presence::Empty)]
    #[case::others(r#"{"metadata":{"annotations":{"a":"b"}}}"#, Presence::Filled)]
    fn knows_whether_there_are_annotations(#[case] json: &str, #[case] presence: Presence) {
        assert_eq!(read(json).metadata.unwrap().annotations.presence(), presence);
    }

    #[test]
    fn takes_null_for_what_may_be_absent() {
        let pod = read(
            r#"{"metadata":{"annotations":null,"labels":null,"ownerReferences":null},
            "spec":{"containers":[{"name":"a","lifecycle":null},{"name":"b","lifecycle":{"preStop":null}}],
            "terminationGracePeriodSeconds":null,"os":null,"nodeSelector":null}}"#,
        );
        assert!(pod.spec.containers[0].lifecycle.is_none());
        assert!(pod.spec.containers[1].lifecycle.as_ref().unwrap().pre_stop.is_none());
        assert!(read(r#"{"metadata":null}"#).metadata.is_none());
    }

    #[test]
    fn finds_the_owner_that_is_the_controller() {
        let pod = read(
            r#"{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n"},
            {"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-1","controller":true}]}}"#,
        );
        assert_eq!(pod.controller().unwrap().to_string(), "ReplicaSet/web-1");
    }
}
