//! How much of each namespace is kept: nobody who may write objects in one takes the memory of all.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    kind::Kind,
    object::{ClusterObject, ObjectId},
    positions::Positions,
};
use crate::constants::{MAX_NAMED_SERVICES_OF_A_NAMESPACE, MAX_NAMESPACE_BYTES};

/// How much of each namespace is kept, and of which there is more.
#[derive(Debug, Default)]
pub(super) struct NamespaceRoom {
    bytes: HashMap<Arc<str>, usize>,
    positions: HashMap<Arc<str>, usize>,
    /// The kinds of which a namespace has objects that are not kept.
    left_out: BTreeMap<Arc<str>, BTreeSet<Kind>>,
    /// The routes of a namespace whose positions are not kept.
    cut_routes: BTreeMap<Arc<str>, BTreeSet<ObjectId>>,
}

impl NamespaceRoom {
    /// Takes room for an object in place of one of `earlier` bytes, if there is room. What is in no
    /// namespace is written by those who may do more than that.
    pub(super) fn takes(&mut self, object: &ClusterObject, earlier: usize) -> bool {
        let ObjectId { kind, namespace, .. } = &object.id;
        let taken = self.bytes.entry(namespace.clone()).or_default();
        let then = *taken - earlier.min(*taken) + object.bytes;
        if then > MAX_NAMESPACE_BYTES && !namespace.is_empty() {
            self.left_out.entry(namespace.clone()).or_default().insert(*kind);
            return false;
        }
        *taken = then;
        true
    }

    /// An object of so many bytes is gone.
    pub(super) fn free(&mut self, id: &ObjectId, bytes: usize) {
        if let Some(taken) = self.bytes.get_mut(&id.namespace) {
            *taken = taken.saturating_sub(bytes);
            if *taken == 0 {
                self.bytes.remove(&id.namespace);
            }
        }
    }

    /// All objects of a kind are about to be applied anew. Returns the namespaces in which some were
    /// left out.
    pub(super) fn forget(&mut self, kind: Kind) -> Vec<Arc<str>> {
        let mut namespaces = Vec::new();
        self.left_out.retain(|namespace, kinds| {
            if kinds.remove(&kind) {
                namespaces.push(namespace.clone());
            }
            !kinds.is_empty()
        });
        namespaces
    }

    /// Cuts the positions of a route, if its namespace has no room for them.
    pub(super) fn bound(&mut self, id: &ObjectId, earlier: &Positions, now: &mut Positions) {
        let taken = self.positions.entry(id.namespace.clone()).or_default();
        let others = taken.saturating_sub(earlier.named.len());
        if others + now.named.len() > MAX_NAMED_SERVICES_OF_A_NAMESPACE {
            *now = Positions::cut();
        }
        *taken = others + now.named.len();
        if *taken == 0 {
            self.positions.remove(&id.namespace);
        }
        if now.is_cut {
            self.cut_routes.entry(id.namespace.clone()).or_default().insert(id.clone());
        } else if let Some(routes) = self.cut_routes.get_mut(&id.namespace) {
            routes.remove(id);
            if routes.is_empty() {
                self.cut_routes.remove(&id.namespace);
            }
        }
    }

    /// Whether there is more in a namespace than is kept.
    pub(super) fn is_cut(&self, namespace: &str) -> bool {
        self.left_out.contains_key(namespace) || self.cut_routes.contains_key(namespace)
    }
}
