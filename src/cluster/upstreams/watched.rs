//! An object of a kind that the rules read.

use std::sync::Arc;

use kube::api::ApiResource;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::watched_object::WatchedObject;
use crate::upstreams::{ClusterObject, Kind, ObjectId, Spec, StringMap};

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct ObjectText<'a> {
    metadata: ObjectTextMetadata,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ObjectTextMetadata {
    creation_timestamp: Option<String>,
    labels: Option<StringMap>,
    annotations: Option<StringMap>,
}

/// What identifies an object of a kind.
pub(super) fn id(object: &WatchedObject, kind: Kind) -> ObjectId {
    ObjectId::new(kind, object.namespace(), object.name())
}

/// The object as the index keeps it. A spec that cannot be read names nothing.
pub(in crate::cluster) fn cluster_object(object: &WatchedObject, kind: Kind) -> ClusterObject {
    let id = id(object, kind);
    let ObjectText { metadata, spec } = serde_json::from_str(object.text()).unwrap_or_default();
    let text = spec.map_or("null", RawValue::get);
    let spec = Spec::read(kind, text).unwrap_or_else(|error| {
        tracing::debug!(object = %id, %error, "cannot read the spec");
        Spec::Empty
    });
    let ObjectTextMetadata { creation_timestamp, labels, annotations } = metadata;
    ClusterObject::new(id, labels.unwrap_or_default(), annotations.unwrap_or_default(), spec)
        // Only the age of routes matters.
        .with_created(creation_timestamp.filter(|_| kind.is_route()).map(Arc::from))
        .with_bytes(text.len())
}

/// How the API server calls a kind.
pub(in crate::cluster) fn resource(kind: Kind, version: &str) -> ApiResource {
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
