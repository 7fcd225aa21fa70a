//! An object of any kind, as it is listed and watched.

use std::borrow::Cow;

use kube::{
    Api, Client, Resource,
    api::{ApiResource, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// An object as a text, of which only what identifies it is read at once: one object with fields of
/// the wrong type must not spoil the list of all. One type for all kinds also means one copy of the
/// code that watches them.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Box<RawValue>")]
pub(super) struct WatchedObject {
    metadata: ObjectMeta,
    text: Box<RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Identified {
    metadata: Identity,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Identity {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl From<Box<RawValue>> for WatchedObject {
    fn from(text: Box<RawValue>) -> Self {
        // The API server sends no object without these.
        let Identified { metadata } = serde_json::from_str(text.get()).unwrap_or_default();
        let Identity { name, namespace, uid, resource_version } = metadata;
        let metadata =
            ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() };
        Self { metadata, text }
    }
}

impl WatchedObject {
    /// The objects of a kind: those of one namespace, or all.
    pub(super) fn api(
        client: Client,
        resource: &ApiResource,
        namespace: Option<&str>,
    ) -> Api<Self> {
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, resource),
            None => Api::all_with(client, resource),
        }
    }

    /// Its namespace; empty if it is in none.
    pub(super) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The whole object.
    pub(super) fn text(&self) -> &str {
        self.text.get()
    }
}

impl Resource for WatchedObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};

    use super::*;

    const TEXT: &str = r#"{"kind": "Any", "metadata": {"name": "web", "namespace": "shop", "uid": "u",
        "resourceVersion": "7", "labels": {"a": "b"}, "managedFields": [{}]}, "spec": [1], "status": null}"#;

    #[test]
    fn it_is_read_from_lists_and_from_events() {
        let list = format!(r#"{{"metadata": {{"resourceVersion": "9"}}, "items": [{TEXT}]}}"#);
        let list: ObjectList<WatchedObject> = serde_json::from_str(&list).unwrap();
        // The API server writes the type first.
        let event = format!(r#"{{"type": "ADDED", "object": {TEXT}}}"#);
        let Ok(WatchEvent::Added(event)) =
            serde_json::from_str::<WatchEvent<WatchedObject>>(&event)
        else {
            panic!("it is an event");
        };
        for object in [&list.items[0], &event] {
            assert_eq!((object.namespace(), object.name(), object.uid()), ("shop", "web", "u"));
            assert_eq!(object.meta().resource_version.as_deref(), Some("7"));
            assert_eq!(object.text(), TEXT);
        }
    }
}
