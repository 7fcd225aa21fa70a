//! Lists of limited length.

use std::{fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// The first `MAX` elements of a list. Webhooks run before the API server checks any length, so the
/// rest is skipped and takes no memory.
#[derive(Debug)]
pub struct Bounded<T, const MAX: usize> {
    elements: Vec<T>,
    is_cut: bool,
}

impl<T, const MAX: usize> Bounded<T, MAX> {
    /// Whether there were more.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Self { elements: Vec::new(), is_cut: false }
    }
}

impl<T, const MAX: usize> Deref for Bounded<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<'p, T, const MAX: usize> IntoIterator for &'p Bounded<T, MAX> {
    type Item = &'p T;
    type IntoIter = std::slice::Iter<'p, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.elements.iter()
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundedVisitor(PhantomData))
    }
}

/// Reads a list, or null: Go writes an empty list as null.
struct BoundedVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for BoundedVisitor<T, MAX> {
    type Value = Bounded<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Bounded::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Bounded::default();
        while list.elements.len() < MAX {
            match seq.next_element()? {
                Some(element) => list.elements.push(element),
                None => return Ok(list),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            list.is_cut = true;
        }
        Ok(list)
    }
}
