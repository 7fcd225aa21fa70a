//! The controller of APISIX whose rules apply: its version, and the names that its objects carry.

use clap::ValueEnum;

/// `spec.controller` and `spec.controllerName` of the classes of version 2, by default.
pub const DEFAULT_CONTROLLER_NAME: &str = "apisix.apache.org/apisix-ingress-controller";
/// `spec.controllerName` of the GatewayClasses of version 1.8, which cannot be changed.
pub(super) const GATEWAY_CONTROLLER_1_8: &str = "apisix.apache.org/gateway-controller";
/// The class of version 1.8 by default: every object of APISIX, and the Ingresses of
/// [`INGRESS_CLASS_1_8`].
pub const DEFAULT_INGRESS_CLASS: &str = "apisix-and-all";
/// The class of an Ingress with [`DEFAULT_INGRESS_CLASS`].
pub(super) const INGRESS_CLASS_1_8: &str = "apisix";

/// What is known of the controller of APISIX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressController {
    /// `spec.controller` of its IngressClasses and `spec.controllerName` of its GatewayClasses
    /// (version 2).
    pub name: String,
    /// Its class (version 1.8).
    pub ingress_class: String,
    /// Its version.
    pub version: VersionChoice,
}

impl Default for IngressController {
    fn default() -> Self {
        Self {
            name: DEFAULT_CONTROLLER_NAME.to_owned(),
            ingress_class: DEFAULT_INGRESS_CLASS.to_owned(),
            version: VersionChoice::Auto,
        }
    }
}

/// How the version of the controller is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VersionChoice {
    /// From the kinds that the API server serves, and the IngressClasses. In doubt, a route of either
    /// version counts
    #[default]
    Auto,
    /// 1.8, and the versions before it
    #[value(name = "1.8")]
    V1_8,
    /// 2.0 and later
    #[value(name = "2")]
    V2,
}

/// A version of the controller, as far as its rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.8, and the versions before it.
    V1_8,
    /// 2.0 and later.
    V2,
}

/// The versions whose rules apply: a route that one of them owns counts.
pub(super) type Versions = &'static [Version];

/// What tells the versions apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// The kind GatewayProxy is served: only version 2 has it.
    pub(super) has_gateway_proxy: bool,
    /// The kind ApisixRoute is served.
    pub(super) has_apisix_route: bool,
    /// An IngressClass names the controller of version 2.
    pub(super) has_class: bool,
}

impl VersionChoice {
    /// The versions whose rules apply.
    pub(super) const fn versions(self, signs: Signs) -> Versions {
        match self {
            Self::V1_8 => &[Version::V1_8],
            Self::V2 => &[Version::V2],
            Self::Auto if signs.has_gateway_proxy || signs.has_class => &[Version::V2],
            Self::Auto if signs.has_apisix_route => &[Version::V1_8],
            Self::Auto => &[Version::V2, Version::V1_8],
        }
    }
}
