//! A value that is read only where it matters.

use std::{fmt, marker::PhantomData};

use memchr::{memchr, memmem};
use serde::{Deserialize, Deserializer, de::Visitor};

/// The name of the newtype struct as which a [`Deferred`] is asked for. A deserializer that knows it
/// may answer with the JSON text of the value, as a borrowed string.
pub const DEFERRED: &str = "apisix_prestop::Deferred";

/// A value that matters for few Pods, though most have one. Its text is kept and not read, where the
/// deserializer knows [`DEFERRED`].
#[derive(Debug)]
pub enum Deferred<'a, T> {
    /// The JSON text of the value. It may be of another type.
    Text(&'a str),
    /// The value.
    Read(T),
}

impl<'a, T: Deserialize<'a>> Deferred<'a, T> {
    /// What `look` finds in the value, whose text has to mention `key`: otherwise there is nothing to
    /// find.
    pub(in crate::injection) fn find<R>(
        &self,
        key: &str,
        look: impl FnOnce(&T) -> Option<R>,
    ) -> Option<R> {
        match self {
            Self::Read(value) => look(value),
            Self::Text(text) if mentions(text, key) => look(&serde_json::from_str(text).ok()?),
            Self::Text(_) => None,
        }
    }
}

impl<T> Deferred<'_, T> {
    /// Whether its text, if it is kept, has more bytes. What is read may.
    pub(super) fn has_more_than(&self, bytes: usize) -> bool {
        match self {
            Self::Text(text) => text.len() > bytes,
            Self::Read(_) => true,
        }
    }
}

/// Whether a JSON text has a string in it, as far as that is plain.
fn mentions(text: &str, key: &str) -> bool {
    let bytes = text.as_bytes();
    memmem::find(bytes, key.as_bytes()).is_some() || memchr(b'\\', bytes).is_some()
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Deferred<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(DEFERRED, DeferredVisitor(PhantomData))
    }
}

struct DeferredVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for DeferredVisitor<T> {
    type Value = Deferred<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Deferred::Text(text))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Deferred::Read)
    }
}
