//! Whether a route of the Gateway API is attached to a Gateway of APISIX. The controller does not
//! look at the status of a Gateway, and neither do these rules.

use super::{
    controller::{GATEWAY_CONTROLLER_1_8, IngressController, Version},
    hostname::{intersects, matches_1_8},
    kind::Kind,
    lookup::Lookup,
    object::{ObjectId, Spec},
    ownership::Ownership,
    spec::{From, GatewayRouteSpec, GatewaySpec, Listener, ParentRef},
};

/// Whether `version` of the controller takes `route` through one of its parents.
pub(super) fn attachment(
    route: &ObjectId,
    spec: &GatewayRouteSpec,
    controller: &IngressController,
    version: Version,
    lookup: &Lookup<'_>,
) -> Ownership {
    let parents = spec.parent_refs.as_deref().unwrap_or_default();
    match version {
        Version::V2 => attachment_2(route, spec, parents, &controller.name, lookup),
        Version::V1_8 => attachment_1_8(route, spec, parents, lookup),
    }
}

/// One parent that takes the route is enough, and those that are no Gateways do not count.
fn attachment_2(
    route: &ObjectId,
    spec: &GatewayRouteSpec,
    parents: &[ParentRef],
    controller: &str,
    lookup: &Lookup<'_>,
) -> Ownership {
    let mut refusal = Ownership::NoParent;
    for parent in parents.iter().filter(|parent| parent.is_gateway()) {
        let (id, gateway) = match gateway_of(route, parent, controller, lookup) {
            Ok(gateway) => gateway,
            Err(why) => {
                refusal = why;
                continue;
            }
        };
        let takes = gateway.listeners().iter().any(|listener| {
            parent.section().is_none_or(|name| name == listener.name)
                && parent.port.is_none_or(|port| port == listener.port)
                && !gateway.has_tls_conflict(listener)
                && listener.carries(route.kind)
                && hosts_intersect(listener, route, spec)
                && listener.allows_kind(route.kind)
                && allows_namespace(listener, &id, route, lookup)
        });
        if takes {
            return Ownership::Attached { gateway: id, controller: controller.to_owned() };
        }
        refusal = Ownership::NoListener { gateway: id };
    }
    refusal
}

/// Every parent has to be a Gateway of APISIX, and one listener has to take the route. A route
/// without parents counts.
fn attachment_1_8(
    route: &ObjectId,
    spec: &GatewayRouteSpec,
    parents: &[ParentRef],
    lookup: &Lookup<'_>,
) -> Ownership {
    if route.kind == Kind::GrpcRoute {
        return Ownership::NotRead;
    }
    let mut attached = None;
    let mut refusal = Ownership::WithoutParent;
    for parent in parents {
        if !parent.is_gateway() {
            return Ownership::NoParent;
        }
        let (id, gateway) = match gateway_of(route, parent, GATEWAY_CONTROLLER_1_8, lookup) {
            Ok(gateway) => gateway,
            Err(why) => return why,
        };
        let mut listeners = gateway.listeners().iter().filter(|listener| {
            parent.section().is_none_or(|name| name == listener.name) && listener.is_valid_1_8()
        });
        let takes = listeners.any(|listener| {
            listener.carries_1_8(route.kind)
                && listener.allows_kind(route.kind)
                && hosts_match_1_8(listener, route, spec)
                && allows_namespace(listener, &id, route, lookup)
        });
        if takes {
            attached.get_or_insert(id);
        } else {
            refusal = Ownership::NoListener { gateway: id };
        }
    }
    match attached {
        Some(gateway) => {
            Ownership::Attached { gateway, controller: GATEWAY_CONTROLLER_1_8.to_owned() }
        }
        None => refusal,
    }
}

fn gateway_of<'o>(
    route: &ObjectId,
    parent: &ParentRef,
    controller: &str,
    lookup: &Lookup<'o>,
) -> Result<(ObjectId, &'o GatewaySpec), Ownership> {
    let namespace = parent.namespace.as_deref().filter(|name| !name.is_empty());
    let id = ObjectId::new(Kind::Gateway, namespace.unwrap_or(&route.namespace), &parent.name);
    let gateway = lookup.get(Kind::Gateway, &id.namespace, &id.name).map(|object| &object.spec);
    let Some(Spec::Gateway(gateway)) = gateway else {
        return Err(Ownership::GatewayMissing { gateway: id });
    };
    let class = lookup.get(Kind::GatewayClass, "", &gateway.gateway_class_name);
    match class.map(|class| &class.spec) {
        Some(Spec::GatewayClass(class)) if class.controller_name == controller => Ok((id, gateway)),
        Some(Spec::GatewayClass(class)) => {
            let controller = Some(class.controller_name.clone());
            Err(Ownership::OtherGateway { gateway: id, controller })
        }
        _ => Err(Ownership::OtherGateway { gateway: id, controller: None }),
    }
}

impl ParentRef {
    fn is_gateway(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "Gateway")
    }

    fn section(&self) -> Option<&str> {
        self.section_name.as_deref().filter(|name| !name.is_empty())
    }
}

impl GatewaySpec {
    fn listeners(&self) -> &[Listener] {
        self.listeners.as_deref().unwrap_or_default()
    }

    /// Whether another TLS listener on the port of a TLS listener has another mode: then the
    /// controller programs neither.
    fn has_tls_conflict(&self, listener: &Listener) -> bool {
        listener.protocol == "TLS"
            && self.listeners().iter().any(|other| {
                other.protocol == "TLS"
                    && other.port == listener.port
                    && other.tls_mode() != listener.tls_mode()
            })
    }
}

impl Listener {
    fn carries(&self, kind: Kind) -> bool {
        match kind {
            Kind::HttpRoute | Kind::GrpcRoute => match &*self.protocol {
                "HTTP" => true,
                "HTTPS" => self.tls.is_some() && self.tls_mode() == "Terminate",
                _ => false,
            },
            Kind::TcpRoute => self.protocol == "TCP",
            Kind::UdpRoute => self.protocol == "UDP",
            Kind::TlsRoute => self.protocol == "TLS",
            _ => false,
        }
    }

    /// Version 1.8 looks for the protocol HTTPS for a TLSRoute, and lets only an HTTPRoute attach to
    /// such a listener.
    fn carries_1_8(&self, kind: Kind) -> bool {
        match kind {
            Kind::HttpRoute => self.protocol == "HTTP",
            Kind::TcpRoute => self.protocol == "TCP",
            Kind::UdpRoute => self.protocol == "UDP",
            _ => false,
        }
    }

    /// Version 1.8 leaves out a listener without TLS that configures it.
    fn is_valid_1_8(&self) -> bool {
        self.tls.is_none()
    }

    fn allows_kind(&self, kind: Kind) -> bool {
        let kinds = self.allowed_routes.as_ref().and_then(|routes| routes.kinds.as_deref());
        let kinds = kinds.unwrap_or_default();
        kinds.is_empty()
            || kinds.iter().any(|allowed| {
                // The API server writes the group that a manifest leaves out.
                allowed.group.as_deref().is_none_or(|group| group == kind.group())
                    && allowed.kind == kind.as_str()
            })
    }
}

/// Without a word, a listener takes routes of its own namespace: that is the default which the API
/// server writes.
fn allows_namespace(
    listener: &Listener,
    gateway: &ObjectId,
    route: &ObjectId,
    lookup: &Lookup<'_>,
) -> bool {
    let namespaces = listener.allowed_routes.as_ref().and_then(|routes| routes.namespaces.as_ref());
    match namespaces.and_then(|namespaces| namespaces.from).unwrap_or_default() {
        From::All => true,
        From::Same => gateway.namespace == route.namespace,
        From::Selector => {
            let namespace = lookup.get(Kind::Namespace, "", &route.namespace);
            let selector = namespaces.and_then(|namespaces| namespaces.selector.as_ref());
            selector.zip(namespace).is_some_and(|(selector, it)| selector.selects(&it.labels))
        }
        From::None => false,
    }
}

fn hosts_intersect(listener: &Listener, route: &ObjectId, spec: &GatewayRouteSpec) -> bool {
    if matches!(route.kind, Kind::TcpRoute | Kind::UdpRoute) {
        return true;
    }
    let hosts = spec.hostnames.as_deref().unwrap_or_default();
    listener.hostname().is_none_or(|hostname| {
        hosts.is_empty() || hosts.iter().any(|host| intersects(hostname, host))
    })
}

/// Version 1.8 asks for all hosts of the route.
fn hosts_match_1_8(listener: &Listener, route: &ObjectId, spec: &GatewayRouteSpec) -> bool {
    route.kind != Kind::HttpRoute
        || listener.hostname().is_none_or(|hostname| {
            spec.hostnames.iter().flatten().all(|host| matches_1_8(hostname, host))
        })
}
