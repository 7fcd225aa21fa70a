//! The fields of a Pod that the decision reads.
//!
//! They borrow from the bytes of the request: reading a Pod costs little more than skipping it, and
//! fields that Kubernetes adds later do not matter.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{
    hook::{ExistingHook, Word},
    null::null_as_default,
};
use crate::constants::{INJECT_LABEL, INJECTED_ANNOTATION, KEY_PREFIX, MIRROR_ANNOTATION};

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
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub owner_references: Vec<OwnerReference<'a>>,
}

impl Metadata<'_> {
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

impl fmt::Display for OwnerReference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
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
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub containers: Vec<Container<'a>>,
    /// The init containers. Only native sidecars among them may have hooks.
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub init_containers: Vec<Container<'a>>,
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

/// The scheduling rules of a Pod that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity<'a> {
    /// The rules about nodes.
    #[serde(borrow)]
    pub node_affinity: Option<NodeAffinity<'a>>,
}

/// The rules about nodes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAffinity<'a> {
    /// The rules that the node must match.
    #[serde(borrow)]
    pub required_during_scheduling_ignored_during_execution: Option<RequiredNodes<'a>>,
}

/// Alternative rules, of which the node must match one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequiredNodes<'a> {
    /// The alternatives.
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub node_selector_terms: Vec<NodeSelectorTerm<'a>>,
}

/// Requirements, all of which the node must match.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelectorTerm<'a> {
    /// The requirements about labels.
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub match_expressions: Vec<NodeSelectorRequirement<'a>>,
}

/// A requirement about a label of the node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeSelectorRequirement<'a> {
    /// The label.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// `In`, `NotIn`, …
    #[serde(borrow)]
    pub operator: Cow<'a, str>,
    /// The values.
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub values: Vec<Word<'a>>,
}

impl NodeSelectorRequirement<'_> {
    fn is_windows(&self) -> bool {
        [OS_LABEL, BETA_OS_LABEL].contains(&&*self.key)
            && self.operator == "In"
            && !self.values.is_empty()
            && self.values.iter().all(|value| value.0 == WINDOWS)
    }
}

/// The security options that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    /// Options that exist only on Windows.
    pub windows_options: Option<IgnoredAny>,
}

const OS_LABEL: &str = "kubernetes.io/os";
/// The label before Kubernetes 1.14.
const BETA_OS_LABEL: &str = "beta.kubernetes.io/os";
const WINDOWS: &str = "windows";

/// The operating system of a Pod.
#[derive(Debug, Deserialize)]
pub struct PodOs<'a> {
    /// `linux` or `windows`.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// The labels of a node for its operating system.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeSelector<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, rename = "kubernetes.io/os")]
    pub os: Option<Word<'a>>,
    /// The label before Kubernetes 1.14.
    #[serde(borrow, rename = "beta.kubernetes.io/os")]
    pub beta_os: Option<Word<'a>>,
}

impl<'a> PodSpec<'a> {
    /// Whether the Pod says that it runs on Windows: by its `os`, else by its node selector, else by
    /// a node affinity that requires Windows in each of its terms, or by options that exist only on
    /// Windows. An affinity that keeps a Pod away from Windows mentions it too.
    pub(super) fn is_windows(&self) -> bool {
        let selector = self.node_selector.as_ref();
        let selected =
            || selector.and_then(|labels| labels.os.as_ref().or(labels.beta_os.as_ref()));
        let os = self.os.as_ref().map(|os| &os.name).or_else(|| selected().map(|os| &os.0));
        os.map_or_else(|| self.requires_windows() || self.has_windows_options(), |os| os == WINDOWS)
    }

    /// Whether the containers run once. A Pod that serves requests restarts them: every controller of
    /// such Pods requires that.
    pub(super) fn runs_to_completion(&self) -> bool {
        self.restart_policy
            .as_ref()
            .is_some_and(|policy| ["Never", "OnFailure"].contains(&&*policy.0))
    }

    fn requires_windows(&self) -> bool {
        let affinity = self.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required = affinity
            .and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution.as_ref());
        let terms = required.map_or(&[][..], |required| &required.node_selector_terms);
        !terms.is_empty()
            && terms
                .iter()
                .all(|term| term.match_expressions.iter().any(NodeSelectorRequirement::is_windows))
    }

    fn has_windows_options(&self) -> bool {
        let has_options = |context: &Option<SecurityContext>| {
            context.as_ref().is_some_and(|context| context.windows_options.is_some())
        };
        has_options(&self.security_context)
            || self.containers.iter().any(|container| has_options(&container.security_context))
    }

    /// The init containers that run beside the regular containers (KEP-753).
    pub(super) fn native_sidecars(&self) -> impl Iterator<Item = &Container<'a>> {
        let is_sidecar = |container: &&Container<'_>| {
            container.restart_policy.as_ref().is_some_and(|policy| policy.0 == "Always")
        };
        self.init_containers.iter().filter(is_sidecar)
    }
}

/// The fields of a container that the decision reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    /// Its name. The API server checks only later that it is unique in the Pod.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its hooks and stop signal.
    #[serde(borrow, default)]
    pub lifecycle: Option<Lifecycle<'a>>,
    /// `Always` makes a native sidecar of an init container.
    #[serde(borrow, default)]
    pub restart_policy: Option<Word<'a>>,
    /// The security options of the container.
    #[serde(default)]
    pub security_context: Option<SecurityContext>,
}

/// The fields of a container's lifecycle that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Lifecycle<'a> {
    /// The preStop hook.
    #[serde(borrow)]
    pub pre_stop: Option<ExistingHook<'a>>,
    /// Whether there is a postStart hook.
    pub post_start: Option<IgnoredAny>,
    /// Whether there is a stop signal.
    pub stop_signal: Option<IgnoredAny>,
}

/// The labels of a Pod, in the order of the text.
#[derive(Debug, Default)]
pub struct Labels<'a>(Vec<KeyValue<'a>>);

/// The annotations of a Pod that we read, in the order of the text.
///
/// A Pod carries dozens of others; keeping those would cost more than everything else.
#[derive(Debug, Default)]
pub struct KnownAnnotations<'a> {
    known: Vec<KeyValue<'a>>,
    presence: Presence,
}

/// A key and its value.
type KeyValue<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Whether a map exists. That says where a patch can add a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It does not exist, or is null.
    #[default]
    Absent,
    /// It exists and has no members.
    Empty,
    /// It exists and has members.
    Filled,
}

impl Labels<'_> {
    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        value(&self.0, key)
    }

    /// All labels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }
}

impl KnownAnnotations<'_> {
    /// The value at `key`, which must be a key that is kept.
    pub fn get(&self, key: &str) -> Option<&str> {
        value(&self.known, key)
    }

    /// The annotations that are kept.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Whether the Pod has annotations, including those that are not kept.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    fn is_known(key: &str) -> bool {
        key.starts_with(KEY_PREFIX) || key == MIRROR_ANNOTATION
    }
}

fn value<'e>(entries: &'e [KeyValue<'_>], key: &str) -> Option<&'e str> {
    entries.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_ref())
}

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (labels, _) = deserializer.deserialize_any(EntriesVisitor { keeps: |_: &str| true })?;
        Ok(Self(labels))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for KnownAnnotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = EntriesVisitor { keeps: KnownAnnotations::is_known };
        let (known, presence) = deserializer.deserialize_any(visitor)?;
        Ok(Self { known, presence })
    }
}

/// Reads a map of strings, or null, and keeps the entries whose key `keeps` accepts.
struct EntriesVisitor<F> {
    keeps: F,
}

impl<'de, F: Fn(&str) -> bool> Visitor<'de> for EntriesVisitor<F> {
    type Value = (Vec<KeyValue<'de>>, Presence);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings, or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Self::Value::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut kept, mut presence) = (Vec::new(), Presence::Empty);
        while let Some(Word(key)) = map.next_key()? {
            presence = Presence::Filled;
            if (self.keeps)(&key) {
                let Word(value) = map.next_value()?;
                kept.push((key, value));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((kept, presence))
    }
}

impl<'a> Pod<'a> {
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
        self.metadata.as_ref()?.owner_references.iter().find(|owner| owner.controller)
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

    #[rstest]
    #[case::by_os(r#"{"spec":{"os":{"name":"windows"}}}"#, true)]
    #[case::by_selector(r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"windows"}}}"#, true)]
    #[case::by_old_selector(
        r#"{"spec":{"nodeSelector":{"beta.kubernetes.io/os":"windows"}}}"#,
        true
    )]
    #[case::os_wins(
        r#"{"spec":{"os":{"name":"linux"},"nodeSelector":{"kubernetes.io/os":"windows"}}}"#,
        false
    )]
    #[case::linux(r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"linux","zone":"a"}}}"#, false)]
    #[case::unsaid("{}", false)]
    #[case::by_affinity(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["windows"]}]}]}}}}}"#, true)]
    #[case::affinity_with_another_term(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["windows"]}]},
        {"matchExpressions":[{"key":"zone","operator":"Exists"}]}]}}}}}"#, false)]
    #[case::affinity_to_both(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["linux","windows"]}]}]}}}}}"#, false)]
    #[case::by_options(
        r#"{"spec":{"securityContext":{"windowsOptions":{"runAsUserName":"x"}}}}"#,
        true
    )]
    #[case::by_options_of_a_container(
        r#"{"spec":{"containers":[{"name":"a","securityContext":{"windowsOptions":{}}}]}}"#,
        true
    )]
    #[case::selector_wins_over_options(
        r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"linux"},"securityContext":{"windowsOptions":{}}}}"#, false)]
    #[case::affinity_away_from_windows(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"NotIn","values":["windows"]}]}]}}}}}"#, false)]
    fn tells_windows_by_what_the_pod_says(#[case] json: &str, #[case] windows: bool) {
        assert_eq!(read(json).spec.is_windows(), windows, "{json}");
    }
}
