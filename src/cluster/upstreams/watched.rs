//! An object of any kind, as it is listed and watched.

use std::{borrow::Cow, collections::BTreeMap};

use kube::{
    Resource,
    api::{ApiResource, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::upstreams::{ClusterObject, Kind, ObjectId, Spec, StringMap};

/// An object of any kind, without what is not read. Its spec is a text: one object with fields of
/// the wrong type must not spoil the list of all.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Narrow")]
pub(super) struct WatchedObject {
    metadata: ObjectMeta,
    spec: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Narrow {
    #[serde(default)]
    metadata: WatchedMetadata,
    #[serde(default)]
    spec: Option<Box<RawValue>>,
}

/// Without `managedFields`, which are half of an object.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WatchedMetadata {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

impl From<Narrow> for WatchedObject {
    fn from(object: Narrow) -> Self {
        let WatchedMetadata { name, namespace, resource_version, labels, mut annotations } =
            object.metadata;
        if let Some(annotations) = &mut annotations {
            annotations.retain(|key, _| ClusterObject::reads_annotation(key));
        }
        let metadata = ObjectMeta {
            name,
            namespace,
            resource_version,
            labels,
            annotations,
            ..ObjectMeta::default()
        };
        Self { metadata, spec: object.spec }
    }
}

impl WatchedObject {
    /// What identifies it.
    pub(super) fn id(&self, kind: Kind) -> ObjectId {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        ObjectId::new(kind, &text(&self.metadata.namespace), &text(&self.metadata.name))
    }

    /// The object as the index keeps it. A spec that cannot be read names nothing.
    pub(super) fn into_object(self, kind: Kind) -> ClusterObject {
        let id = self.id(kind);
        let text = self.spec.as_ref().map_or("null", |spec| spec.get());
        let spec = Spec::read(kind, text).unwrap_or_else(|error| {
            tracing::debug!(object = %id, %error, "cannot read the spec");
            Spec::Empty
        });
        let ObjectMeta { labels, annotations, .. } = self.metadata;
        let map = |map: Option<BTreeMap<_, _>>| StringMap::from(map.unwrap_or_default());
        ClusterObject::new(id, map(labels), map(annotations), spec).with_bytes(text.len())
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

/// How the API server calls a kind.
pub(super) fn resource(kind: Kind, version: &str) -> ApiResource {
    let group = kind.group();
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: match group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        },
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    }
}
