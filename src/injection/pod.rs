//! A view of a Pod that holds only what the decision looks at.
//!
//! It borrows from the request's bytes: reading a Pod costs no more than skipping it, and
//! fields that Kubernetes adds one day do not matter.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::hook::{ExistingHook, Word};
use crate::constants::{INJECT_LABEL, INJECTED_ANNOTATION, KEY_PREFIX, MIRROR_ANNOTATION};

/// The parts of a core/v1 Pod, or of a Pod template, that the decision depends on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod<'a> {
    /// Standard object metadata. A template may have none.
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    /// What is to run.
    #[serde(borrow)]
    pub spec: PodSpec<'a>,
}

/// The parts of the metadata that the decision, or the line in the log, depends on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Empty when a controller creates the Pod: the API server names it later.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What the API server will make the name from.
    #[serde(borrow)]
    pub generate_name: Cow<'a, str>,
    /// Only our own keys.
    #[serde(borrow)]
    pub labels: KnownEntries<'a>,
    /// Only our own keys and [`MIRROR_ANNOTATION`].
    #[serde(borrow)]
    pub annotations: KnownEntries<'a>,
    /// Who owns the Pod.
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub owner_references: Vec<OwnerReference<'a>>,
}

impl Metadata<'_> {
    /// The name, or what it will be made from.
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
    /// Whether it is the one that manages the Pod.
    #[serde(default)]
    pub controller: bool,
}

impl OwnerReference<'_> {
    /// Whether it is a Job (batch/v1).
    pub(super) fn is_job(&self) -> bool {
        self.kind == "Job" && self.api_version.starts_with("batch/")
    }
}

impl fmt::Display for OwnerReference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The parts of the spec that the decision depends on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec<'a> {
    /// The regular containers, in their order. Init and ephemeral containers are left alone:
    /// the API server forbids `lifecycle` on both, but for native sidecars, and those get
    /// SIGTERM only after all regular containers have exited (KEP-753).
    #[serde(borrow)]
    pub containers: Vec<Container<'a>>,
    /// Seconds; `None` means 30.
    pub termination_grace_period_seconds: Option<i64>,
    /// The operating system, if the Pod says it.
    #[serde(borrow)]
    pub os: Option<PodOs<'a>>,
    /// Labels that the node has to have.
    #[serde(borrow)]
    pub node_selector: Option<NodeSelector<'a>>,
}

/// The operating system of a Pod.
#[derive(Debug, Deserialize)]
pub struct PodOs<'a> {
    /// `linux` or `windows`.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// The labels of a node that tell its operating system.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeSelector<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, rename = "kubernetes.io/os")]
    pub os: Option<Cow<'a, str>>,
    /// The same before Kubernetes 1.14.
    #[serde(borrow, rename = "beta.kubernetes.io/os")]
    pub beta_os: Option<Cow<'a, str>>,
}

impl PodSpec<'_> {
    /// Whether the Pod runs on Windows, as far as it says so itself. A nodeAffinity does not
    /// count: one that keeps a Pod away from Windows mentions it too.
    pub(super) fn is_windows(&self) -> bool {
        let selector = self.node_selector.as_ref();
        let selected =
            || selector.and_then(|labels| labels.os.as_ref().or(labels.beta_os.as_ref()));
        let os = self.os.as_ref().map(|os| &os.name).or_else(selected);
        os.is_some_and(|os| os == "windows")
    }
}

/// The parts of a container that the decision depends on.
#[derive(Debug, Deserialize)]
pub struct Container<'a> {
    /// Its name, unique in the Pod.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Hooks around its life.
    #[serde(borrow, default)]
    pub lifecycle: Option<Lifecycle<'a>>,
}

/// The parts of a container's lifecycle that the decision depends on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Lifecycle<'a> {
    /// The preStop hook.
    #[serde(borrow)]
    pub pre_stop: Option<ExistingHook<'a>>,
    /// Whether there is a postStart hook.
    pub post_start: Option<IgnoredAny>,
    /// Whether there is a stop signal of its own.
    pub stop_signal: Option<IgnoredAny>,
}

/// The labels or annotations that we know, in the order in which they came.
///
/// A Pod carries dozens of others; keeping those would cost more than all the rest.
#[derive(Debug, Default)]
pub struct KnownEntries<'a> {
    known: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    presence: Presence,
}

/// Whether a map is there, which tells where a member can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is not there, or null.
    #[default]
    Absent,
    /// It is there, and has nothing in it.
    Empty,
    /// It is there, with something in it.
    Filled,
}

impl<'a> KnownEntries<'a> {
    /// The value at `key`, which has to be a key that is kept.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The entries that are kept.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Whether the map is there, the entries that are not kept included.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    fn is_known(key: &str) -> bool {
        key.starts_with(KEY_PREFIX) || key == MIRROR_ANNOTATION
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for KnownEntries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = KnownEntries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings, or null")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(KnownEntries::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut known, mut presence) = (Vec::new(), Presence::Empty);
                while let Some(Word(key)) = map.next_key()? {
                    presence = Presence::Filled;
                    if KnownEntries::is_known(&key) {
                        let Word(value) = map.next_value()?;
                        known.push((key, value));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(KnownEntries { known, presence })
            }
        }

        deserializer.deserialize_any(EntriesVisitor)
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl<'a> Pod<'a> {
    /// The value of our label on the Pod.
    pub fn inject_label(&self) -> Option<&str> {
        self.metadata.as_ref()?.labels.get(INJECT_LABEL)
    }

    /// The value of one of our annotations.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.annotations.get(key)
    }

    /// All annotations of ours, those included that nobody knows.
    pub fn annotations_of_ours(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.iter().flat_map(|metadata| metadata.annotations.iter());
        all.filter(|(key, _)| key.starts_with(KEY_PREFIX))
    }

    /// What was done to it before, as the annotation tells it.
    pub(super) fn record(&self) -> Option<&str> {
        self.annotation(INJECTED_ANNOTATION)
    }

    /// The owner that manages the Pod, if there is one.
    pub fn controller(&self) -> Option<&OwnerReference<'a>> {
        self.metadata.as_ref()?.owner_references.iter().find(|owner| owner.controller)
    }

    /// Whether this is the API object of a static Pod, which the kubelet runs from a file:
    /// a patch would change the object and not what runs.
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
    fn keeps_only_the_keys_that_it_knows() {
        let pod = read(
            r#"{"metadata":{"annotations":{"checksum/config":"5f","apisix-prestop/delay":"\u0037s",
            "kubernetes.io/config.mirror":"x"},"labels":{"app":"web","apisix-prestop/inject":"disabled"}}}"#,
        );
        assert_eq!(pod.metadata.as_ref().unwrap().annotations.known.len(), 2, "{pod:?}");
        assert_eq!(pod.annotation("apisix-prestop/delay"), Some("7s"));
        assert_eq!(pod.annotations_of_ours().count(), 1, "the mirror annotation is not ours");
        assert_eq!(pod.inject_label(), Some("disabled"));
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
    #[case::affinity_does_not_count(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"NotIn","values":["windows"]}]}]}}}}}"#, false)]
    fn tells_windows_by_what_the_pod_says(#[case] json: &str, #[case] windows: bool) {
        assert_eq!(read(json).spec.is_windows(), windows, "{json}");
    }
}
