//! Labels and annotations.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::Word;
use crate::constants::{KEY_PREFIX, MIRROR_ANNOTATION};

/// The labels of a Pod, in the order of the text.
#[derive(Debug, Default)]
pub struct Labels<'a>(Vec<KeyValue<'a>>);

/// The annotations of a Pod that we read, in the order of the text.
///
/// A Pod carries dozens of others; keeping those would cost more than everything else.
#[derive(Debug, Default)]
pub struct KnownAnnotations<'a> {
    pub(super) known: Vec<KeyValue<'a>>,
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

/// The length of all annotations of a Pod, keys and values, in bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "PodWithAnnotations")]
pub struct AnnotationsBytes(pub usize);

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodWithAnnotations {
    metadata: Option<MetadataWithAnnotations>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MetadataWithAnnotations {
    #[serde(deserialize_with = "length_of_all")]
    annotations: usize,
}

impl From<PodWithAnnotations> for AnnotationsBytes {
    fn from(pod: PodWithAnnotations) -> Self {
        Self(pod.metadata.map_or(0, |metadata| metadata.annotations))
    }
}

fn length_of_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let (all, _) = deserializer.deserialize_any(EntriesVisitor { keeps: |_: &str| true })?;
    Ok(all.iter().map(|(key, value)| key.len() + value.len()).sum())
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
