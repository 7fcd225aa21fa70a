//! An object as the index keeps it: what identifies it, its labels and annotations, and the few
//! fields of its spec that the rules read.

use std::{fmt, sync::Arc};

use serde::Deserialize;

use super::{
    kind::Kind,
    spec::{
        ApisixPluginConfigSpec, ApisixRouteSpec, ApisixUpstreamSpec, GatewayClassSpec,
        GatewayRouteSpec, GatewaySpec, IngressClassSpec, IngressSpec, ReferenceGrantSpec,
        ServiceSpec,
    },
    string_map::StringMap,
};

/// Identifies an object. Its `Display` is `HTTPRoute shop/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty if it is in none.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectId {
    /// Identifies the object `name` in `namespace`.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        Self { kind, namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        match &**namespace {
            "" => write!(f, "{kind} {name}"),
            _ => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}

/// An object as the index keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterObject {
    /// Identifies it.
    pub id: ObjectId,
    /// Its labels, if it is a Namespace: nothing reads those of other objects.
    pub labels: StringMap,
    /// Its annotations, those that the rules read.
    pub annotations: StringMap,
    /// What the rules read of its spec.
    pub spec: Spec,
    /// When it was created, as Kubernetes writes it, if that is known.
    pub created: Option<Arc<str>>,
    /// How long the text was that it was read from, in bytes.
    pub bytes: usize,
}

/// What the rules read of the spec of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// Nothing: that it exists is enough.
    Empty,
    /// Of a Service.
    Service(ServiceSpec),
    /// Of an IngressClass.
    IngressClass(IngressClassSpec),
    /// Of an Ingress.
    Ingress(IngressSpec),
    /// Of a GatewayClass.
    GatewayClass(GatewayClassSpec),
    /// Of a Gateway.
    Gateway(GatewaySpec),
    /// Of a route of the Gateway API.
    GatewayRoute(GatewayRouteSpec),
    /// Of a ReferenceGrant.
    ReferenceGrant(ReferenceGrantSpec),
    /// Of an ApisixRoute.
    ApisixRoute(ApisixRouteSpec),
    /// Of an ApisixUpstream.
    ApisixUpstream(ApisixUpstreamSpec),
    /// Of an ApisixPluginConfig.
    ApisixPluginConfig(ApisixPluginConfigSpec),
}

/// The annotation of an Ingress that names its class.
pub(super) const INGRESS_CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// The annotation of the default IngressClass.
pub(super) const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";
/// The annotation of an Ingress that moves the namespace of its Services.
pub(super) const SERVICE_NAMESPACE_ANNOTATION: &str = "k8s.apisix.apache.org/svc-namespace";
/// The annotation of an Ingress that names an ApisixPluginConfig.
pub(super) const PLUGIN_CONFIG_ANNOTATION: &str = "k8s.apisix.apache.org/plugin-config-name";

const ANNOTATIONS: [&str; 4] = [
    INGRESS_CLASS_ANNOTATION,
    DEFAULT_CLASS_ANNOTATION,
    SERVICE_NAMESPACE_ANNOTATION,
    PLUGIN_CONFIG_ANNOTATION,
];

impl ClusterObject {
    /// An object that has these labels and annotations. Those that no rule reads are left out.
    pub fn new(id: ObjectId, labels: StringMap, annotations: StringMap, spec: Spec) -> Self {
        let read = annotations.iter().filter(|(key, _)| Self::reads_annotation(key));
        let annotations = read.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let labels = if id.kind == Kind::Namespace { labels } else { StringMap::default() };
        Self { id, labels, annotations, spec, created: None, bytes: 0 }
    }

    /// The same, read from a text of so many bytes.
    #[must_use]
    pub fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// The same, created at `created`.
    #[must_use]
    pub fn with_created(self, created: Option<Arc<str>>) -> Self {
        Self { created, ..self }
    }

    /// Whether a rule reads an annotation.
    pub fn reads_annotation(key: &str) -> bool {
        ANNOTATIONS.contains(&key)
    }

    /// An annotation that is not empty.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).filter(|value| !value.is_empty())
    }
}

/// The metadata of an object in a manifest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NarrowMetadata {
    pub(super) namespace: Option<String>,
    pub(super) labels: Option<StringMap>,
    pub(super) annotations: Option<StringMap>,
}
