//! The index of all objects. A change costs what depends on the changed object, not what there is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
};

use super::{
    controller::{IngressController, Signs, Version, Versions},
    kind::Kind,
    limit::Limit,
    lookup::{Dependency, Lookup, Objects},
    namespace_room::NamespaceRoom,
    object::{ClusterObject, ObjectId, Spec},
    owner::ownership,
    ownership::Ownership,
    positions::{Position, Positions, positions},
    snapshot::{NamedBy, NamespaceTargets, ServiceTarget, Snapshot},
    sorted::{contains, insert, remove},
    target::RouteRule,
};
use crate::constants::MAX_ROUTES_OF_A_SERVICE;

/// The index of all objects that say which Pods APISIX sends requests to.
///
/// Changes are collected; [`Self::snapshot`] evaluates what depends on them.
#[derive(Debug)]
pub struct UpstreamIndex {
    controller: IngressController,
    served: BTreeSet<Kind>,
    versions: Versions,
    objects: Objects,
    routes: BTreeMap<ObjectId, Route>,
    /// The routes whose evaluation has looked at something.
    dependents: HashMap<Dependency, Vec<ObjectId>>,
    /// The routes that name a Service.
    named_by: HashMap<ObjectId, Vec<ObjectId>>,
    stale_routes: BTreeSet<ObjectId>,
    stale_namespaces: BTreeSet<Arc<str>>,
    room: NamespaceRoom,
    snapshot: Snapshot,
}

/// A route, evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) ownership: Box<[(Version, Ownership)]>,
    pub(super) positions: Positions,
    dependencies: Box<[Dependency]>,
}

impl Route {
    pub(super) fn is_owned(&self) -> bool {
        self.ownership.iter().any(|(_, ownership)| ownership.is_owned())
    }
}

impl UpstreamIndex {
    /// An empty index.
    pub fn new(controller: IngressController) -> Self {
        let versions = controller.version.versions(Signs::default());
        Self {
            controller,
            served: BTreeSet::new(),
            versions,
            objects: Objects::default(),
            routes: BTreeMap::new(),
            dependents: HashMap::new(),
            named_by: HashMap::new(),
            stale_routes: BTreeSet::new(),
            stale_namespaces: BTreeSet::new(),
            room: NamespaceRoom::default(),
            snapshot: Snapshot::default(),
        }
    }

    /// An object was created or has changed.
    pub fn apply(&mut self, object: ClusterObject) {
        let earlier = self.objects.get(&object.id);
        if earlier == Some(&object) {
            return;
        }
        let earlier = earlier.map_or(0, |object| object.bytes);
        self.changed(&object.id);
        if self.room.takes(&object, earlier) {
            self.objects.insert(object);
        } else {
            self.stale_namespaces.insert(object.id.namespace.clone());
            self.delete(&object.id);
        }
    }

    /// An object was deleted.
    pub fn delete(&mut self, id: &ObjectId) {
        if let Some(object) = self.objects.remove(id) {
            self.room.free(id, object.bytes);
            self.changed(id);
        }
    }

    /// These are all the objects of a kind.
    pub fn reset(&mut self, kind: Kind, objects: Vec<ClusterObject>) {
        self.stale_namespaces.extend(self.room.forget(kind));
        let kept: BTreeSet<_> = objects.iter().map(|object| &object.id).collect();
        let known = self.objects.of_kind(kind).map(|object| &object.id);
        let gone: Vec<_> = known.filter(|id| !kept.contains(id)).cloned().collect();
        for id in gone {
            self.delete(&id);
        }
        for object in objects {
            self.apply(object);
        }
    }

    /// Whether the API server serves a kind.
    pub fn serve(&mut self, kind: Kind, is_served: bool) {
        if is_served {
            self.served.insert(kind);
        } else {
            self.served.remove(&kind);
        }
    }

    /// Which Pods are targets now.
    pub fn snapshot(&mut self) -> Snapshot {
        self.evaluate();
        self.snapshot.clone()
    }

    fn changed(&mut self, id: &ObjectId) {
        if id.kind.is_route() {
            self.stale_routes.insert(id.clone());
        }
        if id.kind == Kind::Service {
            self.stale_namespaces.insert(id.namespace.clone());
        }
        let depends_on =
            [Dependency::Object(id.clone()), Dependency::All(id.kind, id.namespace.clone())];
        for dependency in depends_on {
            if let Some(routes) = self.dependents.get(&dependency) {
                self.stale_routes.extend(routes.iter().cloned());
            }
        }
    }

    /// Evaluates what is stale.
    fn evaluate(&mut self) {
        let versions = self.controller.version.versions(self.signs());
        if versions != self.versions {
            self.versions = versions;
            self.stale_routes.extend(self.routes.keys().cloned());
        }
        for id in std::mem::take(&mut self.stale_routes) {
            let route = self.objects.get(&id).map(|object| self.evaluated(object));
            self.replace(id, route);
        }
        for namespace in std::mem::take(&mut self.stale_namespaces) {
            let targets = self.targets(&namespace);
            self.snapshot.replace(&namespace, targets);
        }
    }

    fn signs(&self) -> Signs {
        let is_served = |kind| self.served.contains(&kind);
        let has_object = |kind| self.objects.of_kind(kind).next().is_some();
        let has_class = self.objects.of_kind(Kind::IngressClass).any(|class| {
            matches!(&class.spec, Spec::IngressClass(it) if it.controller == self.controller.name)
        });
        Signs {
            has_gateway_proxy: is_served(Kind::GatewayProxy) || has_object(Kind::GatewayProxy),
            has_apisix_route: is_served(Kind::ApisixRoute),
            has_class,
        }
    }

    fn evaluated(&self, object: &ClusterObject) -> Route {
        let lookup = Lookup::new(&self.objects);
        let mut route = Route::default();
        let mut owned_by = Vec::new();
        for version in self.versions {
            let ownership = ownership(object, &self.controller, *version, &lookup);
            if ownership.is_owned() {
                route.positions.extend(positions(object, *version, &lookup));
            }
            owned_by.push((*version, ownership));
        }
        route.ownership = owned_by.into();
        route.dependencies = lookup.into_dependencies();
        route
    }

    /// Replaces what is known of a route.
    fn replace(&mut self, id: ObjectId, route: Option<Route>) {
        let earlier = self.routes.remove(&id).unwrap_or_default();
        let exists = route.is_some();
        let mut route = route.unwrap_or_default();
        self.room.bound(&id, &earlier.positions, &mut route.positions);
        for dependency in &earlier.dependencies {
            if !contains(&route.dependencies, dependency) {
                remove_from(&mut self.dependents, dependency, &id);
            }
        }
        for dependency in &route.dependencies {
            if !contains(&earlier.dependencies, dependency) {
                insert(self.dependents.entry(dependency.clone()).or_default(), id.clone());
            }
        }
        if earlier.positions != route.positions {
            self.stale_namespaces.insert(id.namespace.clone());
            for Position { service, .. } in &earlier.positions.named {
                self.stale_namespaces.insert(service.namespace.clone());
                remove_from(&mut self.named_by, service, &id);
            }
            for Position { service, .. } in &route.positions.named {
                self.stale_namespaces.insert(service.namespace.clone());
                insert(self.named_by.entry(service.clone()).or_default(), id.clone());
            }
        }
        if exists {
            self.routes.insert(id, route);
        }
    }

    fn targets(&self, namespace: &str) -> NamespaceTargets {
        let services = self.objects.in_namespace(Kind::Service, namespace);
        let services = services.filter_map(|object| match &object.spec {
            Spec::Service(spec) => Some((&object.id, spec.selector()?)),
            _ => None,
        });
        let targets = services.map(|(id, selector)| ServiceTarget {
            selector: selector.clone(),
            name: id.name.clone(),
            routes: self.routes_of(id),
        });
        let limits = self.limits(namespace);
        NamespaceTargets::new(targets.collect(), limits, self.room.is_cut(namespace))
    }

    /// What no sleep cures in a namespace.
    fn limits(&self, namespace: &str) -> Vec<(ObjectId, Limit)> {
        let services = self.objects.in_namespace(Kind::Service, namespace).flat_map(|object| {
            self.service_limits(object).into_iter().map(|limit| (object.id.clone(), limit))
        });
        let routes = Kind::all().filter(|kind| kind.is_route()).flat_map(|kind| {
            let first = ObjectId::new(kind, namespace, "");
            let routes = self.routes.range(first..);
            routes.take_while(move |(id, _)| id.kind == kind && &*id.namespace == namespace)
        });
        let routes = routes.flat_map(|(id, route)| {
            route.positions.limits.iter().map(|limit| (id.clone(), *limit))
        });
        services.chain(routes).collect()
    }

    /// What no sleep cures for the Pods of a Service that is an upstream.
    pub(super) fn service_limits(&self, service: &ClusterObject) -> BTreeSet<Limit> {
        let mut positions = self.positions_of(&service.id).peekable();
        if positions.peek().is_none() {
            return BTreeSet::new();
        }
        let mut limits: BTreeSet<_> =
            positions.flat_map(|(_, position)| position.limits.iter().copied()).collect();
        if let Spec::Service(spec) = &service.spec {
            limits.extend(spec.limits());
        }
        limits
    }

    /// The routes that decide whether a Pod of a Service is a target: one for all of its Pods, and
    /// before it those for subsets that come first.
    fn routes_of(&self, service: &ObjectId) -> Vec<NamedBy> {
        let mut routes: Vec<_> = self
            .positions_of(service)
            .map(|(route, position)| NamedBy {
                is_indirect: position.is_indirect,
                route: Arc::new(self.rule(route, position)),
                subset: position.subset.clone(),
            })
            .collect();
        routes.sort();
        // Behind one that sends requests to every Pod, no other one decides.
        let end = routes.iter().position(|named| named.subset.is_none());
        let end = end.map_or(routes.len(), |place| place + 1);
        routes.truncate(end.min(MAX_ROUTES_OF_A_SERVICE));
        // Beyond the bound every Pod counts: a needless sleep is cheap.
        if let Some(last) = routes.last_mut().filter(|_| end > MAX_ROUTES_OF_A_SERVICE) {
            last.subset = None;
        }
        routes.shrink_to_fit();
        routes
    }

    /// The rule of a route that has a position.
    pub(super) fn rule(&self, route: &ObjectId, position: &Position) -> RouteRule {
        let created = self.objects.get(route).and_then(|object| object.created.clone());
        RouteRule { route: route.clone(), rule: position.rule.clone(), created }
    }

    /// The positions that name a Service, with their routes.
    pub(super) fn positions_of(
        &self,
        service: &ObjectId,
    ) -> impl Iterator<Item = (&ObjectId, &Position)> {
        let routes = self.named_by.get(service).into_iter().flatten();
        let routes = routes.filter_map(|id| self.routes.get_key_value(id));
        routes.flat_map(move |(id, route)| {
            let named = route.positions.named.iter();
            let named = named.filter(move |position| position.service == *service);
            named.map(move |position| (id, position))
        })
    }

    /// All routes, evaluated.
    pub(super) fn routes(&self) -> impl Iterator<Item = (&ObjectId, &Route)> {
        self.routes.iter()
    }

    /// An object.
    pub(super) fn object(&self, id: &ObjectId) -> Option<&ClusterObject> {
        self.objects.get(id)
    }

    /// All Services.
    pub(super) fn services(&self) -> impl Iterator<Item = &ClusterObject> {
        self.objects.of_kind(Kind::Service)
    }
}

fn remove_from<K: Hash + Eq>(sets: &mut HashMap<K, Vec<ObjectId>>, key: &K, id: &ObjectId) {
    if let Some(set) = sets.get_mut(key) {
        remove(set, id);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
