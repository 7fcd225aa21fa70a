//! Where a route names Services.

use std::sync::Arc;

use super::{
    controller::Version,
    dns_name::service_of,
    kind::Kind,
    limit::Limit,
    lookup::Lookup,
    object::{
        ClusterObject, ObjectId, PLUGIN_CONFIG_ANNOTATION, SERVICE_NAMESPACE_ANNOTATION, Spec,
    },
    sorted::insert,
    spec::{
        ApisixUpstreamSpec, Discovery, ExternalNodeType, GatewayRouteSpec, Plugin, RouteBackend,
    },
    string_map::StringMap,
};
use crate::constants::{MAX_LABEL_BYTES, MAX_NAMED_SERVICES, MAX_SERVICE_ALIASES};

/// A place where a route names a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The Service, which need not exist.
    pub service: ObjectId,
    /// The name of the rule, if it has one.
    pub rule: Option<Arc<str>>,
    /// Labels that a Pod has to have beside those of the Service's selector.
    pub subset: Option<StringMap>,
    /// Whether requests go to its Pods by a DNS name or a discovery, and not by the endpoints that
    /// the controller reads.
    pub is_indirect: bool,
    /// What no sleep cures.
    pub limits: Vec<Limit>,
}

/// Where a route names Services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Positions {
    /// At most [`MAX_NAMED_SERVICES`] for each version of the controller.
    pub(super) named: Vec<Position>,
    /// Services of other namespaces, where no ReferenceGrant permits to name them.
    pub(super) refused: Vec<ObjectId>,
    /// What no sleep cures, where no Service is known.
    pub(super) limits: Vec<Limit>,
    /// Whether there are more than are kept: then none are.
    pub(super) is_cut: bool,
}

/// The positions of a route, by the rules of `version`.
pub(super) fn positions(route: &ClusterObject, version: Version, lookup: &Lookup<'_>) -> Positions {
    let mut reader = PositionReader {
        route: &route.id,
        version,
        lookup,
        rule: None,
        found: Positions::default(),
    };
    match &route.spec {
        Spec::Ingress(ingress) => {
            let moved = route.annotation(SERVICE_NAMESPACE_ANNOTATION);
            let namespace = moved.unwrap_or(&route.id.namespace);
            for service in ingress.services() {
                reader.service(namespace, service);
            }
            if let Some(name) = route.annotation(PLUGIN_CONFIG_ANNOTATION) {
                reader.plugin_config(&route.id.namespace, name);
            }
        }
        Spec::ApisixRoute(spec) => {
            for rule in spec.http.iter().flatten() {
                reader.enter(Some(&rule.name));
                for backend in rule.backends.iter().flatten() {
                    reader.backend(backend);
                }
                for upstream in rule.upstreams.iter().flatten() {
                    reader.upstream(&upstream.name);
                }
                reader.plugins(rule.plugins.as_deref());
                if let Some(name) = rule.plugin_config_name.as_deref() {
                    let namespace = rule.plugin_config_namespace.as_deref();
                    let namespace = namespace.filter(|namespace| !namespace.is_empty());
                    reader.plugin_config(namespace.unwrap_or(&route.id.namespace), name);
                }
            }
            for rule in spec.stream.iter().flatten() {
                reader.enter(Some(&rule.name));
                reader.backend(&rule.backend);
            }
        }
        Spec::GatewayRoute(spec) => reader.gateway_route(spec),
        _ => {}
    }
    let mut found = reader.found;
    found.named.shrink_to_fit();
    found
}

struct PositionReader<'r, 'o> {
    route: &'r ObjectId,
    version: Version,
    lookup: &'r Lookup<'o>,
    rule: Option<Arc<str>>,
    found: Positions,
}

impl<'o> PositionReader<'_, 'o> {
    fn enter(&mut self, rule: Option<&str>) {
        self.rule = rule.filter(|name| !name.is_empty()).map(shown);
    }

    fn service(&mut self, namespace: &str, name: &str) {
        self.name(namespace, name, None, Vec::new());
    }

    /// Names a Service, and what it is another name of.
    fn name(
        &mut self,
        namespace: &str,
        name: &str,
        subset: Option<StringMap>,
        mut limits: Vec<Limit>,
    ) {
        if name.is_empty() {
            return;
        }
        let external = self.external_name(namespace, name);
        if external.is_some() {
            limits.push(Limit::ExternalName);
        }
        self.push(Position {
            service: self.lookup.id(Kind::Service, namespace, name),
            rule: self.rule.clone(),
            subset,
            is_indirect: false,
            limits,
        });
        if let Some(external) = external {
            self.host(external);
        }
    }

    /// The DNS name that an ExternalName Service stands for.
    fn external_name(&self, namespace: &str, name: &str) -> Option<&'o str> {
        match self.lookup.get(Kind::Service, namespace, name).map(|object| &object.spec) {
            Some(Spec::Service(service)) => service.external_name(),
            _ => None,
        }
    }

    /// A DNS name or an address. Some names stand for another one.
    fn host(&mut self, host: &str) {
        let mut host = host;
        for _ in 0..=MAX_SERVICE_ALIASES {
            let Some((name, namespace)) = service_of(host) else {
                return self.limit(Limit::ForeignAddress);
            };
            match self.external_name(namespace, name) {
                Some(next) => host = next,
                None => return self.push_indirect(namespace, name, Limit::DnsName),
            }
        }
    }

    /// What APISIX itself looks for.
    fn discovery(&mut self, discovery: &Discovery) {
        match discovery.service() {
            Some((namespace, name)) => self.push_indirect(namespace, name, Limit::Discovery),
            None => self.limit(Limit::Discovery),
        }
    }

    fn push_indirect(&mut self, namespace: &str, name: &str, limit: Limit) {
        self.push(Position {
            service: self.lookup.id(Kind::Service, namespace, name),
            rule: self.rule.clone(),
            subset: None,
            is_indirect: true,
            limits: vec![limit],
        });
    }

    fn push(&mut self, position: Position) {
        if self.found.is_cut {
            return;
        }
        insert(&mut self.found.named, position);
        if self.found.named.len() > MAX_NAMED_SERVICES {
            self.found = Positions::cut();
        }
    }

    fn limit(&mut self, limit: Limit) {
        insert(&mut self.found.limits, limit);
    }

    /// A Service in an ApisixRoute. An ApisixUpstream of its name knows its subsets, and may look
    /// for its nodes elsewhere.
    fn backend(&mut self, backend: &RouteBackend) {
        let namespace = &*self.route.namespace;
        let upstream = self.apisix_upstream(&backend.service_name);
        if let Some(discovery) = upstream.and_then(|upstream| upstream.discovery.as_ref()) {
            self.discovery(discovery);
            // Version 2 then leaves out the endpoints of the Service.
            if self.version == Version::V2 {
                return;
            }
        }
        let subsets = upstream.and_then(|upstream| upstream.subsets.as_deref()).unwrap_or_default();
        let subset = backend.subset.as_deref().filter(|name| !name.is_empty());
        // A subset that nobody describes filters nothing.
        let labels = subset
            .and_then(|name| subsets.iter().find(|subset| subset.name == name)?.labels.clone())
            .filter(|labels| !labels.is_empty());
        let is_cluster_ip = backend.resolve_granularity.as_deref() == Some("service");
        let limits = if is_cluster_ip { vec![Limit::ClusterIp] } else { Vec::new() };
        self.name(namespace, &backend.service_name, labels, limits);
    }

    fn apisix_upstream(&self, name: &str) -> Option<&'o ApisixUpstreamSpec> {
        match &self.lookup.get(Kind::ApisixUpstream, &self.route.namespace, name)?.spec {
            Spec::ApisixUpstream(spec) => Some(spec),
            _ => None,
        }
    }

    /// An ApisixUpstream in an ApisixRoute. Its own class does not count.
    fn upstream(&mut self, name: &str) {
        let Some(upstream) = self.lookup.get(Kind::ApisixUpstream, &self.route.namespace, name)
        else {
            return;
        };
        let Spec::ApisixUpstream(spec) = &upstream.spec else { return };
        for node in spec.external_nodes.iter().flatten() {
            match node.type_ {
                Some(ExternalNodeType::Domain) => self.host(&node.name),
                // The controller takes only Services of type ExternalName.
                Some(ExternalNodeType::Service) => {
                    if let Some(host) = self.external_name(&upstream.id.namespace, &node.name) {
                        self.host(host);
                    }
                }
                Some(ExternalNodeType::Unknown) | None => {}
            }
        }
        if let Some(discovery) = &spec.discovery {
            self.discovery(discovery);
        }
    }

    fn plugins(&mut self, plugins: Option<&[Plugin]>) {
        for host in plugins.unwrap_or_default().iter().flat_map(|plugin| &plugin.hosts) {
            self.host(host);
        }
    }

    fn plugin_config(&mut self, namespace: &str, name: &str) {
        let config = self.lookup.get(Kind::ApisixPluginConfig, namespace, name);
        if let Some(Spec::ApisixPluginConfig(config)) = config.map(|object| &object.spec) {
            self.plugins(config.plugins.as_deref());
        }
    }

    fn gateway_route(&mut self, spec: &GatewayRouteSpec) {
        let route = self.route;
        for rule in spec.rules.iter().flatten() {
            self.enter(rule.name.as_deref());
            for backend in rule.backend_refs.iter().flatten() {
                if !self.names_a_service(backend.kind.as_deref()) {
                    continue;
                }
                let namespace = backend.namespace.as_deref().filter(|name| !name.is_empty());
                let namespace = namespace.unwrap_or(&route.namespace);
                if self.is_permitted(namespace, &backend.name) {
                    self.service(namespace, &backend.name);
                } else {
                    let service = ObjectId::new(Kind::Service, namespace, &backend.name);
                    if self.found.refused.len() < MAX_NAMED_SERVICES {
                        insert(&mut self.found.refused, service);
                    }
                }
            }
        }
    }

    fn names_a_service(&self, kind: Option<&str>) -> bool {
        match (self.version, kind) {
            (_, None) => true,
            (Version::V2, Some(kind)) => kind == "Service",
            // Version 1.8 does not look at the kind here.
            (Version::V1_8, Some(_)) if self.route.kind == Kind::TcpRoute => true,
            (Version::V1_8, Some(kind)) => kind.eq_ignore_ascii_case("Service"),
        }
    }

    /// Whether the route may name a Service of `namespace`. Version 1.8 does not ask.
    fn is_permitted(&self, namespace: &str, service: &str) -> bool {
        if self.version == Version::V1_8 || namespace == &*self.route.namespace {
            return true;
        }
        let mut grants = self.lookup.all(Kind::ReferenceGrant, namespace);
        grants.any(|(_, spec)| match spec {
            Spec::ReferenceGrant(grant) => {
                let from = grant.from.iter().flatten().any(|from| {
                    from.group == self.route.kind.group()
                        && from.kind == self.route.kind.as_str()
                        && *from.namespace == *self.route.namespace
                });
                let to = grant.to.iter().flatten().any(|to| {
                    let is_named = to.name.as_deref().is_none_or(|name| name == service);
                    to.group.is_empty() && to.kind == "Service" && is_named
                });
                from && to
            }
            _ => false,
        })
    }
}

impl Positions {
    /// Those of a route that names more Services than are kept.
    pub(super) fn cut() -> Self {
        Self { is_cut: true, ..Self::default() }
    }

    /// Adds what another version of the controller finds.
    pub(super) fn extend(&mut self, other: Self) {
        other.named.into_iter().for_each(|position| insert(&mut self.named, position));
        // What one version permits is not refused.
        other.refused.into_iter().for_each(|service| insert(&mut self.refused, service));
        self.refused.retain(|service| !self.named.iter().any(|it| it.service == *service));
        other.limits.into_iter().for_each(|limit| insert(&mut self.limits, limit));
        self.is_cut |= other.is_cut;
    }
}

/// The name of a rule as it is shown. Anybody who may write a route chooses it, and it ends up in logs
/// and annotations: it is short, and has no signs but those of other names.
fn shown(rule: &str) -> Arc<str> {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
    rule.chars().map(safe).take(MAX_LABEL_BYTES).collect::<String>().into()
}
