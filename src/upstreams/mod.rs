//! Which Pods APISIX sends requests to, and through which route: by the rules of its ingress
//! controller.
//!
//! Everything here is pure. An [`UpstreamIndex`] takes the objects of a cluster as they change, and
//! gives out [`Snapshot`]s, which tell the [`Target`] of a Pod.
//!
//! A Service is an upstream if a route that APISIX owns, that is attached and permitted, names it in
//! a position that routes requests. Whether the controller then programs it (a port that does not
//! exist, a weight of 0) does not matter: it may in a second, and a needless sleep is cheap.

mod attachment;
mod controller;
mod dns_name;
mod hostname;
mod index;
mod kind;
mod known;
mod label_selector;
mod limit;
mod lookup;
mod manifest;
mod namespace_room;
mod object;
mod owner;
mod ownership;
mod positions;
mod report;
mod snapshot;
mod sorted;
mod spec;
mod string_map;
mod target;

pub use controller::{
    DEFAULT_CONTROLLER_NAME, DEFAULT_INGRESS_CLASS, IngressController, Version, VersionChoice,
};
pub use index::UpstreamIndex;
pub use kind::Kind;
pub use known::KnownTargets;
pub use label_selector::{LabelSelector, SelectorRequirement};
pub use limit::Limit;
pub use manifest::{MalformedObject, served_by};
pub use object::{ClusterObject, ObjectId, Spec};
pub use ownership::Ownership;
pub use positions::Position;
pub use report::{
    RouteReport, ServiceReport, TargetKind, UpstreamReport, Workload, WorkloadReport,
};
pub use snapshot::Snapshot;
pub use spec::{
    AllowedKind, AllowedRoutes, ApisixHttpRule, ApisixPluginConfigSpec, ApisixRouteSpec,
    ApisixStreamRule, ApisixUpstreamSpec, BackendRef, Discovery, ExternalNode, ExternalNodeType,
    From, GatewayClassSpec, GatewayRouteSpec, GatewayRule, GatewaySpec, GrantFrom, GrantTo,
    IngressClassSpec, IngressSpec, Listener, ListenerTls, ParentRef, Plugin, ReferenceGrantSpec,
    RouteBackend, RouteNamespaces, ServiceSpec, Subset, UpstreamReference,
};
pub use string_map::StringMap;
pub use target::{RouteRule, Target};
