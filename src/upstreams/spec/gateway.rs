//! GatewayClass and Gateway (gateway.networking.k8s.io).

use serde::Deserialize;

use super::super::label_selector::LabelSelector;

/// What the rules read of a GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// The controller of its Gateways.
    pub controller_name: String,
}

/// What the rules read of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Its class.
    pub gateway_class_name: String,
    /// What routes attach to.
    pub listeners: Option<Box<[Listener]>>,
}

/// What routes attach to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Listener {
    /// Its name, which is the `sectionName` of a parentRef.
    pub name: String,
    /// The host that it listens for.
    pub hostname: Option<String>,
    /// Its port.
    pub port: i64,
    /// HTTP, HTTPS, TLS, TCP or UDP.
    pub protocol: String,
    /// How it handles TLS.
    pub tls: Option<ListenerTls>,
    /// Which routes it takes.
    pub allowed_routes: Option<AllowedRoutes>,
}

impl Listener {
    /// Its hostname, if it has one.
    pub(in crate::upstreams) fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().filter(|hostname| !hostname.is_empty())
    }

    /// How it handles TLS: by default it terminates.
    pub(in crate::upstreams) fn tls_mode(&self) -> &str {
        self.tls.as_ref().and_then(|tls| tls.mode.as_deref()).unwrap_or("Terminate")
    }
}

/// How a listener handles TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerTls {
    /// Terminate or Passthrough.
    pub mode: Option<String>,
}

/// Which routes a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From which namespaces.
    pub namespaces: Option<RouteNamespaces>,
    /// Of which kinds; without any, of those that its protocol carries.
    pub kinds: Option<Box<[AllowedKind]>>,
}

/// From which namespaces a listener takes routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// All, Same or Selector.
    pub from: Option<From>,
    /// The labels of the namespaces.
    pub selector: Option<LabelSelector>,
}

/// From which namespaces a listener takes routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum From {
    /// From all.
    All,
    /// From those that a selector names.
    Selector,
    /// From that of the Gateway.
    #[default]
    Same,
    /// From none, or from somewhere that this version of the API does not know.
    #[serde(other)]
    None,
}

/// A kind that a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AllowedKind {
    /// Its group. The API server writes the default.
    pub group: Option<String>,
    /// Its name.
    pub kind: String,
}
