//! A view of a Pod that holds only what the decision looks at.
//!
//! It borrows from the request's bytes: reading a Pod costs no more than skipping it, and
//! fields that Kubernetes adds one day do not matter.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::constants::{INJECT_LABEL, KEY_PREFIX, MIRROR_ANNOTATION};

/// The parts of a core/v1 Pod that the decision depends on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod<'a> {
    /// Standard object metadata.
    #[serde(borrow)]
    pub metadata: Metadata<'a>,
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
        if self.name.is_empty() {
            &self.generate_name
        } else {
            &self.name
        }
    }

    /// The owner that manages the Pod, if there is one.
    pub fn controller(&self) -> Option<&OwnerReference<'_>> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// An owner of the Pod.
#[derive(Debug, Deserialize)]
pub struct OwnerReference<'a> {
    /// Its kind, such as `ReplicaSet`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Whether it is the one that manages the Pod.
    #[serde(default)]
    pub controller: bool,
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
}

/// The parts of a container that the decision depends on.
#[derive(Debug, Deserialize)]
pub struct Container<'a> {
    /// Its name, unique in the Pod.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Hooks around its life.
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
}

/// The parts of a container's lifecycle that the decision depends on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// Whether there is a preStop hook, of whatever kind.
    #[serde(default)]
    pub pre_stop: Option<IgnoredAny>,
}

/// The labels or annotations that we know, in the order in which they came.
///
/// A Pod carries dozens of others; keeping those would cost more than all the rest.
#[derive(Debug, Default)]
pub struct KnownEntries<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> KnownEntries<'a> {
    /// The value at `key`, which has to be a key that is kept.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_ref())
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
                let mut entries = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    if KnownEntries::is_known(&key) {
                        let Text(value) = map.next_value()?;
                        entries.push((key, value));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(KnownEntries(entries))
            }
        }

        deserializer.deserialize_any(EntriesVisitor)
    }
}

/// A string that is borrowed where the JSON has no escapes in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Pod<'_> {
    /// The value of our label on the Pod.
    pub fn inject_label(&self) -> Option<&str> {
        self.metadata.labels.get(INJECT_LABEL)
    }

    /// Whether this is the API object of a static Pod, which the kubelet runs from a file:
    /// a patch would change the object and not what runs.
    pub fn is_mirror(&self) -> bool {
        self.metadata.annotations.get(MIRROR_ANNOTATION).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrows_from_the_input_where_it_can() {
        let json = r#"{"metadata":{"name":"web","annotations":{"apisix-prestop/delay":"15s"}},
            "spec":{"containers":[{"name":"app"}]}}"#;
        let pod: Pod<'_> = serde_json::from_str(json).unwrap();
        assert!(matches!(pod.metadata.name, Cow::Borrowed("web")), "{pod:?}");
        assert!(
            matches!(pod.spec.containers[0].name, Cow::Borrowed("app")),
            "{pod:?}"
        );
        let (key, value) = &pod.metadata.annotations.0[0];
        assert!(
            matches!((key, value), (Cow::Borrowed(_), Cow::Borrowed("15s"))),
            "{pod:?}"
        );
    }

    #[test]
    fn keeps_only_the_keys_that_it_knows() {
        let json = r#"{"metadata":{"annotations":{"checksum/config":"5f","apisix-prestop/delay":"\u0037s",
            "kubernetes.io/config.mirror":"x"},"labels":{"app":"web","apisix-prestop/inject":"disabled"}}}"#;
        let pod: Pod<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(pod.metadata.annotations.0.len(), 2, "{pod:?}");
        assert_eq!(
            pod.metadata.annotations.get("apisix-prestop/delay"),
            Some("7s")
        );
        assert_eq!(pod.inject_label(), Some("disabled"));
        assert!(pod.is_mirror());
    }

    #[test]
    fn takes_null_for_what_may_be_absent() {
        let json = r#"{"metadata":{"annotations":null,"labels":null,"ownerReferences":null},
            "spec":{"containers":[{"name":"a","lifecycle":null},{"name":"b","lifecycle":{"preStop":null}}],
            "terminationGracePeriodSeconds":null}}"#;
        let pod: Pod<'_> = serde_json::from_str(json).unwrap();
        assert!(pod.spec.containers[0].lifecycle.is_none());
        assert!(
            pod.spec.containers[1]
                .lifecycle
                .as_ref()
                .unwrap()
                .pre_stop
                .is_none()
        );
    }

    #[test]
    fn finds_the_owner_that_is_the_controller() {
        let json = r#"{"metadata":{"ownerReferences":[{"kind":"Node","name":"n"},
            {"kind":"ReplicaSet","name":"web-1","controller":true}]}}"#;
        let pod: Pod<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(
            pod.metadata.controller().unwrap().to_string(),
            "ReplicaSet/web-1"
        );
    }
}
