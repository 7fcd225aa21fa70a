//! What was read of many objects.

use serde::Deserialize;

use super::{check_id::CheckId, result::CheckResult};
use crate::upstreams::StringMap;

/// Objects, and why some of them are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Those that were read.
    pub items: Vec<T>,
    /// Why the others were not.
    pub missing: Option<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { items: Vec::new(), missing: None }
    }
}

impl<T> Listed<T> {
    /// Says in the report what is missing.
    pub(super) fn warning(&self, id: CheckId, what: &str) -> Option<CheckResult> {
        let why = self.missing.as_ref()?;
        let message = format!("not all {what} can be read: {why}");
        Some(id.warn(message).hint("kubectl auth can-i --list"))
    }
}

/// What is read of the metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NamedMetadata {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: StringMap,
    /// Its annotations.
    pub annotations: StringMap,
}

impl NamedMetadata {
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key)
    }
}
