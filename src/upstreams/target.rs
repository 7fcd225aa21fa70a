//! What sends requests to a Pod.

use std::{fmt, sync::Arc};

use super::object::ObjectId;

/// A route that sends requests to a Service. Its `Display` is `HTTPRoute shop/web`, with `#rule` if
/// the rule has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteRule {
    /// The route.
    pub route: ObjectId,
    /// The rule.
    pub rule: Option<Arc<str>>,
    /// When the route was created, if that is known.
    pub created: Option<Arc<str>>,
}

impl fmt::Display for RouteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}#{rule}", self.route),
            None => self.route.fmt(f),
        }
    }
}

/// What sends requests to a Pod. Its `Display` is what a person reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Nothing watches Services and routes, or not yet.
    #[default]
    Unknown,
    /// APISIX does.
    Upstream {
        /// The first of the routes.
        route: Arc<RouteRule>,
        /// The Service, in the namespace of the Pod.
        service: Arc<str>,
        /// Whether APISIX finds the Pod by a DNS name or a discovery.
        is_indirect: bool,
    },
    /// A Service selects it, but no route of APISIX names that.
    Service {
        /// The first of the Services.
        service: Arc<str>,
    },
    /// No Service selects it.
    NoService,
}

impl Target {
    /// Since when APISIX has a route to the Pod, if it has one and that is known.
    pub fn since(&self) -> Option<&str> {
        match self {
            Self::Upstream { route, .. } => route.created.as_deref(),
            Self::Unknown | Self::Service { .. } | Self::NoService => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Upstream { route, service, .. } => {
                write!(f, "upstream of {route} via Service {service}")
            }
            Self::Service { service } => {
                write!(f, "selected by Service {service}, no APISIX route")
            }
            Self::NoService => f.write_str("no Service"),
        }
    }
}
