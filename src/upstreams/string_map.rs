//! Labels and annotations.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

/// The labels or annotations of an object, in the order of their keys. There are many of them, most
/// with an entry or two, and none ever changes: so it is one allocation, and clones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct StringMap(Arc<[(Box<str>, Box<str>)]>);

impl StringMap {
    /// The value at a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        Some(&self.0[place].1)
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, String>> for StringMap {
    fn from(map: BTreeMap<String, String>) -> Self {
        let entries = map.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self(entries.collect())
    }
}

impl FromIterator<(String, String)> for StringMap {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        BTreeMap::from_iter(entries).into()
    }
}
