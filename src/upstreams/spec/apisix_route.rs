//! ApisixRoute (apisix.apache.org/v2).

use serde::Deserialize;

use super::Plugin;

/// What the rules read of an ApisixRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ApisixRouteSpec {
    /// Its class.
    pub ingress_class_name: Option<String>,
    /// Rules for HTTP.
    pub http: Option<Box<[ApisixHttpRule]>>,
    /// Rules for TCP and UDP.
    pub stream: Option<Box<[ApisixStreamRule]>>,
}

/// A rule for HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApisixHttpRule {
    /// Its name.
    pub name: String,
    /// The Services that its requests go to.
    pub backends: Option<Box<[RouteBackend]>>,
    /// The ApisixUpstreams that its requests go to.
    pub upstreams: Option<Box<[UpstreamReference]>>,
    /// Its plugins.
    pub plugins: Option<Box<[Plugin]>>,
    /// The ApisixPluginConfig with more plugins.
    pub plugin_config_name: Option<String>,
    /// Its namespace: by default that of the route.
    pub plugin_config_namespace: Option<String>,
}

/// A rule for TCP and UDP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApisixStreamRule {
    /// Its name.
    pub name: String,
    /// The Service that its connections go to.
    pub backend: RouteBackend,
}

/// A Service that requests go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteBackend {
    /// The Service, in the namespace of the route.
    pub service_name: String,
    /// A subset of its Pods, which an ApisixUpstream of the same name describes.
    pub subset: Option<String>,
    /// `endpoint`, or `service`: then the node is the ClusterIP.
    pub resolve_granularity: Option<String>,
}

/// An ApisixUpstream that requests go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UpstreamReference {
    /// Its name, in the namespace of the route.
    pub name: String,
}
