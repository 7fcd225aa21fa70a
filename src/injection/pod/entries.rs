//! Labels and annotations.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::Word;
use crate::constants::{ANNOTATIONS, KEY_PREFIX, MAX_LABELS, MAX_NOTICES, MIRROR_ANNOTATION};

/// The labels of a Pod, in the order of the text.
#[derive(Debug, Default)]
pub struct Labels<'a> {
    labels: Vec<KeyValue<'a>>,
    is_cut: bool,
}

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
        value(&self.labels, key)
    }

    /// Whether there are more than are kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// All labels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.labels.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
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

    /// The length of what is kept, in bytes.
    pub(super) fn known_bytes(&self) -> usize {
        self.known.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    /// Of unknown keys with our prefix, as many are kept as there can be notices.
    fn keeps(key: &str, kept: usize) -> bool {
        ANNOTATIONS.contains(&key)
            || key == MIRROR_ANNOTATION
            || (key.starts_with(KEY_PREFIX) && kept < MAX_NOTICES)
    }
}

fn value<'e>(entries: &'e [KeyValue<'_>], key: &str) -> Option<&'e str> {
    entries.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_ref())
}

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keeps = |_: &str, kept: usize| kept < MAX_LABELS;
        let (labels, _, all) = deserializer.deserialize_any(EntriesVisitor { keeps })?;
        Ok(Self { is_cut: all > labels.len(), labels })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for KnownAnnotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = EntriesVisitor { keeps: KnownAnnotations::keeps };
        let (known, presence, _) = deserializer.deserialize_any(visitor)?;
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
    deserializer.deserialize_any(LengthVisitor)
}

/// Adds up the keys and values of a map of strings, or null.
struct LengthVisitor;

impl<'de> Visitor<'de> for LengthVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings, or null")
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut length = 0;
        while let Some((Word(key), Word(value))) = map.next_entry()? {
            length += key.len() + value.len();
        }
        Ok(length)
    }
}

/// Reads a map of strings, or null, and keeps the entries that `keeps` accepts, given
/// the key and the number of those that are kept already.
struct EntriesVisitor<F> {
    keeps: F,
}

impl<'de, F: Fn(&str, usize) -> bool> Visitor<'de> for EntriesVisitor<F> {
    /// What is kept, whether there is anything, and the number of all entries.
    type Value = (Vec<KeyValue<'de>>, Presence, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings, or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Self::Value::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut kept, mut presence, mut all) = (Vec::new(), Presence::Empty, 0);
        while let Some(Word(key)) = map.next_key()? {
            presence = Presence::Filled;
            all += 1;
            if (self.keeps)(&key, kept.len()) {
                let Word(value) = map.next_value()?;
                kept.push((key, value));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((kept, presence, all))
    }
}
