//! The kinds of objects that say which Services APISIX sends requests to.

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

/// A kind of object that says which Services APISIX sends requests to. Its `Display` is the kind as
/// Kubernetes writes it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumCount,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum Kind {
    /// Its labels, for listeners that select namespaces.
    Namespace,
    /// Selects Pods, or is the name of something elsewhere.
    Service,
    /// Names the controller of an Ingress.
    IngressClass,
    /// A route of Kubernetes itself.
    Ingress,
    /// Names the controller of a Gateway.
    GatewayClass,
    /// Has the listeners that routes attach to.
    Gateway,
    /// A route of the Gateway API.
    #[strum(serialize = "HTTPRoute")]
    HttpRoute,
    /// A route of the Gateway API.
    #[strum(serialize = "GRPCRoute")]
    GrpcRoute,
    /// A route of the Gateway API.
    #[strum(serialize = "TCPRoute")]
    TcpRoute,
    /// A route of the Gateway API.
    #[strum(serialize = "UDPRoute")]
    UdpRoute,
    /// A route of the Gateway API.
    #[strum(serialize = "TLSRoute")]
    TlsRoute,
    /// Permits routes of other namespaces to name a Service.
    ReferenceGrant,
    /// A route of APISIX.
    ApisixRoute,
    /// What a route of APISIX names beside Services, and the subsets of a Service.
    ApisixUpstream,
    /// Plugins for several routes.
    ApisixPluginConfig,
    /// Says nothing about Services, but only version 2 of the controller has it.
    GatewayProxy,
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const APISIX: &str = "apisix.apache.org";

impl Kind {
    /// Its API group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Namespace | Self::Service => "",
            Self::IngressClass | Self::Ingress => "networking.k8s.io",
            Self::GatewayClass
            | Self::Gateway
            | Self::HttpRoute
            | Self::GrpcRoute
            | Self::TcpRoute
            | Self::UdpRoute
            | Self::TlsRoute
            | Self::ReferenceGrant => GATEWAY_API,
            Self::ApisixRoute
            | Self::ApisixUpstream
            | Self::ApisixPluginConfig
            | Self::GatewayProxy => APISIX,
        }
    }

    /// The versions of the API that are read, the preferred one first. They have the same fields, as
    /// far as these are read.
    pub const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Namespace | Self::Service | Self::IngressClass | Self::Ingress => &["v1"],
            Self::GatewayClass | Self::Gateway | Self::HttpRoute | Self::ReferenceGrant => {
                &["v1", "v1beta1"]
            }
            Self::GrpcRoute | Self::TcpRoute | Self::UdpRoute => &["v1", "v1alpha2"],
            Self::TlsRoute => &["v1", "v1alpha3", "v1alpha2"],
            Self::ApisixRoute | Self::ApisixUpstream | Self::ApisixPluginConfig => &["v2"],
            Self::GatewayProxy => &["v1alpha1"],
        }
    }

    /// Its name in the paths of the API, and in RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::Service => "services",
            Self::IngressClass => "ingressclasses",
            Self::Ingress => "ingresses",
            Self::GatewayClass => "gatewayclasses",
            Self::Gateway => "gateways",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::TcpRoute => "tcproutes",
            Self::UdpRoute => "udproutes",
            Self::TlsRoute => "tlsroutes",
            Self::ReferenceGrant => "referencegrants",
            Self::ApisixRoute => "apisixroutes",
            Self::ApisixUpstream => "apisixupstreams",
            Self::ApisixPluginConfig => "apisixpluginconfigs",
            Self::GatewayProxy => "gatewayproxies",
        }
    }

    /// Whether its objects are in namespaces.
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::IngressClass | Self::GatewayClass)
    }

    /// Whether its objects are routes.
    pub const fn is_route(self) -> bool {
        matches!(self, Self::Ingress | Self::ApisixRoute) || self.is_gateway_route()
    }

    /// Whether its objects are routes of the Gateway API.
    pub const fn is_gateway_route(self) -> bool {
        matches!(
            self,
            Self::HttpRoute | Self::GrpcRoute | Self::TcpRoute | Self::UdpRoute | Self::TlsRoute
        )
    }

    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::VARIANTS.iter().copied()
    }

    /// Whether a CustomResourceDefinition makes the API server serve it.
    pub fn is_custom(self) -> bool {
        [GATEWAY_API, APISIX].contains(&self.group())
    }

    /// Whether a rule reads its objects.
    pub fn has_rules(self) -> bool {
        self != Self::GatewayProxy
    }

    /// The kind called `name` in `group`, if it is one of these.
    pub fn of(group: &str, name: &str) -> Option<Self> {
        name.parse::<Self>().ok().filter(|kind| kind.group() == group)
    }

    /// Its name as Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
