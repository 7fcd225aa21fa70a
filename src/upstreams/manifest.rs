//! Objects as a manifest or the API server writes them.

use serde::Deserialize;
use serde_json::Value;

use super::{
    kind::Kind,
    object::{ClusterObject, NarrowMetadata, ObjectId, Spec},
};

/// Why an object is left out.
#[derive(Debug, thiserror::Error)]
pub enum MalformedObject {
    /// Its kind is known, but not this version of it.
    #[error("{kind} {version}: only {} is read", kind.versions().join(" or "))]
    Version {
        /// The kind.
        kind: Kind,
        /// The version.
        version: String,
    },
    /// It has no name.
    #[error("{kind} without a name")]
    NoName {
        /// The kind.
        kind: Kind,
    },
    /// A field has the wrong type.
    #[error("{kind} {name}: {path}: {message}")]
    Field {
        /// The kind.
        kind: Kind,
        /// The name of the object.
        name: String,
        /// Where the field is.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl Spec {
    /// Reads the spec of an object, in JSON. Null is an empty one.
    ///
    /// # Errors
    /// When a field has the wrong type, with its path.
    pub fn read(
        kind: Kind,
        spec: &str,
    ) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        fn read<'de, S: Deserialize<'de> + Default>(
            spec: &'de str,
            wrap: fn(S) -> Spec,
        ) -> Result<Spec, serde_path_to_error::Error<serde_json::Error>> {
            let mut reader = serde_json::Deserializer::from_str(spec);
            let spec: Option<S> = serde_path_to_error::deserialize(&mut reader)?;
            Ok(wrap(spec.unwrap_or_default()))
        }
        match kind {
            Kind::Namespace | Kind::GatewayProxy => Ok(Self::Empty),
            Kind::Service => read(spec, Self::Service),
            Kind::IngressClass => read(spec, Self::IngressClass),
            Kind::Ingress => read(spec, Self::Ingress),
            Kind::GatewayClass => read(spec, Self::GatewayClass),
            Kind::Gateway => read(spec, Self::Gateway),
            Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TcpRoute
            | Kind::UdpRoute
            | Kind::TlsRoute => read(spec, Self::GatewayRoute),
            Kind::ReferenceGrant => read(spec, Self::ReferenceGrant),
            Kind::ApisixRoute => read(spec, Self::ApisixRoute),
            Kind::ApisixUpstream => read(spec, Self::ApisixUpstream),
            Kind::ApisixPluginConfig => read(spec, Self::ApisixPluginConfig),
        }
    }
}

impl ClusterObject {
    /// The object in a manifest. `None` if its kind says nothing about upstreams. Without a namespace
    /// it is in `namespace`.
    ///
    /// # Errors
    /// When its version is not read, or a field has the wrong type.
    pub fn from_manifest(
        api_version: &str,
        kind: &str,
        value: &Value,
        namespace: &str,
    ) -> Result<Option<Self>, MalformedObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let Some(kind) = Kind::of(group, kind) else { return Ok(None) };
        if !kind.versions().contains(&version) {
            return Err(MalformedObject::Version { kind, version: version.to_owned() });
        }
        let name = value["metadata"]["name"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or(MalformedObject::NoName { kind })?;
        let malformed = |field: &str, path: String, message: String| MalformedObject::Field {
            kind,
            name: name.to_owned(),
            path: if path == "." { field.to_owned() } else { format!("{field}.{path}") },
            message,
        };
        let metadata: NarrowMetadata = serde_path_to_error::deserialize(&value["metadata"])
            .map_err(|error| {
                malformed("metadata", error.path().to_string(), error.inner().to_string())
            })?;
        let spec = Spec::read(kind, &value["spec"].to_string()).map_err(|error| {
            malformed("spec", error.path().to_string(), without_position(error.inner()))
        })?;
        let own = metadata.namespace.filter(|namespace| !namespace.is_empty());
        let id = ObjectId::new(kind, own.as_deref().unwrap_or(namespace), name);
        let labels = metadata.labels.unwrap_or_default();
        Ok(Some(Self::new(id, labels, metadata.annotations.unwrap_or_default(), spec)))
    }
}

/// The kind that a CustomResourceDefinition makes an API server serve, if it is one of these.
pub fn served_by(api_version: &str, kind: &str, value: &Value) -> Option<Kind> {
    let is_definition =
        kind == "CustomResourceDefinition" && api_version.starts_with("apiextensions.k8s.io/");
    let spec = &value["spec"];
    let (group, kind) = (spec["group"].as_str()?, spec["names"]["kind"].as_str()?);
    Kind::of(group, kind).filter(|_| is_definition)
}

/// The message of serde_json without the position in a text that nobody sees.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}
