//! Which Pods are targets, at one moment. A snapshot never changes, and shares what is equal with
//! the one before.

use std::{collections::BTreeSet, sync::Arc};

use rpds::HashTrieMapSync;

use super::{
    limit::Limit,
    object::ObjectId,
    string_map::StringMap,
    target::{RouteRule, Target},
};

/// Which Pods are targets, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    namespaces: HashTrieMapSync<Arc<str>, Arc<NamespaceTargets>>,
}

/// The Services of a namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NamespaceTargets {
    /// In the order of the first label of their selectors.
    services: Vec<ServiceTarget>,
    /// What no sleep cures, of Services and of routes that name no known Service.
    limits: Box<[(ObjectId, Limit)]>,
    /// Whether there is more than is kept.
    is_cut: bool,
}

/// A Service that selects Pods, and the routes that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceTarget {
    /// Its selector, which is not empty.
    pub(super) selector: StringMap,
    pub(super) name: Arc<str>,
    /// Whom it gets requests from. What is first applies first.
    pub(super) routes: Vec<NamedBy>,
}

/// A route that names a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamedBy {
    pub(super) is_indirect: bool,
    pub(super) route: Arc<RouteRule>,
    /// Labels that a Pod has to have beside those of the selector.
    pub(super) subset: Option<StringMap>,
}

impl Snapshot {
    /// What sends requests to a Pod with these labels.
    pub fn target<'l, L>(&self, namespace: &str, labels: L) -> Target
    where
        L: Iterator<Item = (&'l str, &'l str)> + Clone,
    {
        let Some(services) = self.namespaces.get(namespace) else { return Target::NoService };
        let has = |key: &str, value: &str| labels.clone().any(|label| label == (key, value));
        let mut selected = None::<&Arc<str>>;
        let mut best = None::<(bool, &Arc<str>, &NamedBy)>;
        for (key, value) in labels.clone() {
            for service in services.starting_with(key, value) {
                if !service.selector.iter().skip(1).all(|(key, value)| has(key, value)) {
                    continue;
                }
                selected = Some(selected.map_or(&service.name, |name| name.min(&service.name)));
                let named = service.routes.iter().find(|named| {
                    let mut subset = named.subset.iter().flat_map(StringMap::iter);
                    subset.all(|(key, value)| has(key, value))
                });
                if let Some(named) = named {
                    let found = (named.is_indirect, &service.name, named);
                    best = Some(best.map_or(found, |best| best.min(found)));
                }
            }
        }
        match (best, selected) {
            (Some((is_indirect, service, named)), _) => Target::Upstream {
                route: named.route.clone(),
                service: service.clone(),
                is_indirect,
            },
            (None, _) if services.is_cut => Target::Unknown,
            (None, Some(service)) => Target::Service { service: service.clone() },
            (None, None) => Target::NoService,
        }
    }

    /// Whether a route may name a Service.
    pub fn may_be_upstream(&self, namespace: &str, service: &str) -> bool {
        self.namespaces.get(namespace).is_some_and(|targets| {
            let is_named = |it: &ServiceTarget| &*it.name == service && !it.routes.is_empty();
            targets.is_cut || targets.services.iter().any(is_named)
        })
    }

    /// What no sleep cures in a namespace, of its Services that are upstreams and of its routes that
    /// name no known Service.
    pub fn limits(&self, namespace: &str) -> &[(ObjectId, Limit)] {
        self.namespaces.get(namespace).map_or(&[], |targets| &targets.limits)
    }

    /// The namespaces in which a target may differ between two snapshots.
    pub fn changed_since(&self, earlier: &Self) -> BTreeSet<Arc<str>> {
        let differs = |a: &Self, b: &Self| -> Vec<Arc<str>> {
            let differs = a.namespaces.iter().filter(|(name, targets)| {
                b.namespaces.get(*name).is_none_or(|other| !Arc::ptr_eq(targets, other))
            });
            differs.map(|(name, _)| name.clone()).collect()
        };
        differs(self, earlier).into_iter().chain(differs(earlier, self)).collect()
    }

    /// Replaces the Services of a namespace. Equal ones stay, and with them what snapshots share.
    pub(super) fn replace(&mut self, namespace: &Arc<str>, targets: NamespaceTargets) {
        if targets.services.is_empty() && targets.limits.is_empty() && !targets.is_cut {
            self.namespaces.remove_mut(namespace);
        } else if self.namespaces.get(namespace).is_none_or(|earlier| **earlier != targets) {
            self.namespaces.insert_mut(namespace.clone(), Arc::new(targets));
        }
    }
}

impl NamespaceTargets {
    pub(super) fn new(
        mut services: Vec<ServiceTarget>,
        limits: Vec<(ObjectId, Limit)>,
        is_cut: bool,
    ) -> Self {
        services.sort_by(|a, b| (&a.selector, &a.name).cmp(&(&b.selector, &b.name)));
        Self { services, limits: limits.into(), is_cut }
    }

    /// The Services whose selector begins with this label.
    fn starting_with(&self, key: &str, value: &str) -> &[ServiceTarget] {
        let first =
            |service: &ServiceTarget| service.selector.iter().next().cmp(&Some((key, value)));
        let start = self.services.partition_point(|service| first(service).is_lt());
        let length = self.services[start..].partition_point(|service| first(service).is_eq());
        &self.services[start..start + length]
    }
}
