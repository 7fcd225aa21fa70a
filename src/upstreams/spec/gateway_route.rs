//! HTTPRoute, GRPCRoute, TCPRoute, UDPRoute and TLSRoute (gateway.networking.k8s.io), which name
//! their parents and backends in the same fields.

use serde::Deserialize;

/// What the rules read of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayRouteSpec {
    /// The Gateways that it attaches to.
    pub parent_refs: Option<Box<[ParentRef]>>,
    /// The hosts of its requests. TCPRoute and UDPRoute have none.
    pub hostnames: Option<Box<[String]>>,
    /// Where its requests go.
    pub rules: Option<Box<[GatewayRule]>>,
}

/// A Gateway that a route attaches to, or one of its listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ParentRef {
    /// Gateway, unless it is something else. The controller does not look at the group.
    pub kind: Option<String>,
    /// By default the namespace of the route.
    pub namespace: Option<String>,
    /// The name of the Gateway.
    pub name: String,
    /// The name of the listener.
    pub section_name: Option<String>,
    /// The port of the listener.
    pub port: Option<i64>,
}

/// A rule of a route. A mirror gets copies of requests, whose answers nobody waits for: its backend
/// is no upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayRule {
    /// Its name.
    pub name: Option<String>,
    /// Where its requests go.
    pub backend_refs: Option<Box<[BackendRef]>>,
}

/// Where requests go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BackendRef {
    /// Service, unless it is something else.
    pub kind: Option<String>,
    /// By default the namespace of the route.
    pub namespace: Option<String>,
    /// The name of the Service.
    pub name: String,
}
