//! The fields of each kind that the rules read. Everything else of an object is skipped.

mod apisix_plugin_config;
mod apisix_route;
mod apisix_upstream;
mod gateway;
mod gateway_route;
mod ingress;
mod reference_grant;
mod service;

pub use apisix_plugin_config::{ApisixPluginConfigSpec, Plugin};
pub use apisix_route::{
    ApisixHttpRule, ApisixRouteSpec, ApisixStreamRule, RouteBackend, UpstreamReference,
};
pub use apisix_upstream::{ApisixUpstreamSpec, Discovery, ExternalNode, ExternalNodeType, Subset};
pub use gateway::{
    AllowedKind, AllowedRoutes, From, GatewayClassSpec, GatewaySpec, Listener, ListenerTls,
    RouteNamespaces,
};
pub use gateway_route::{BackendRef, GatewayRouteSpec, GatewayRule, ParentRef};
pub use ingress::{IngressClassSpec, IngressSpec};
pub use reference_grant::{GrantFrom, GrantTo, ReferenceGrantSpec};
pub use service::ServiceSpec;
