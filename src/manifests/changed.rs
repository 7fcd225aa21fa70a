//! A text before and after an operation.

use json_patch::Patch;
use serde_json::Value;

use super::source::ManifestSource;

/// A text before and after an operation.
#[derive(Debug)]
pub struct ChangedSource {
    pub(super) source: ManifestSource,
    /// `None` if nothing changes.
    pub(super) after: Option<String>,
    pub(super) patches: Vec<ObjectPatch>,
}

impl ChangedSource {
    /// The text after the operation.
    pub fn after(&self) -> &str {
        self.after.as_deref().unwrap_or(&self.source.text)
    }
}

/// The patch of an object.
#[derive(Debug)]
pub(super) struct ObjectPatch {
    /// The number of its document, from 1.
    pub(super) document: usize,
    pub(super) api_version: Value,
    pub(super) kind: Value,
    pub(super) name: Value,
    pub(super) namespace: Option<String>,
    pub(super) patch: Patch,
}

impl ObjectPatch {
    pub(super) fn of(document: usize, object: &Value, patch: Patch) -> Self {
        let metadata = &object["metadata"];
        Self {
            document,
            api_version: object["apiVersion"].clone(),
            kind: object["kind"].clone(),
            name: metadata["name"].clone(),
            namespace: metadata["namespace"].as_str().map(str::to_owned),
            patch,
        }
    }
}
