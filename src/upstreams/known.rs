//! What is known of the targets, and whether that is all.

use super::{snapshot::Snapshot, target::Target};

/// What is known of the targets.
#[derive(Clone, Debug, Default)]
pub struct KnownTargets {
    /// The targets.
    pub snapshot: Snapshot,
    /// Whether every kind of object is listed and watched. What is missing could only add a target.
    pub is_complete: bool,
}

impl KnownTargets {
    /// What sends requests to a Pod with these labels.
    pub fn target<'l, L>(&self, namespace: &str, labels: L) -> Target
    where
        L: Iterator<Item = (&'l str, &'l str)> + Clone,
    {
        match self.snapshot.target(namespace, labels) {
            Target::Service { .. } | Target::NoService if !self.is_complete => Target::Unknown,
            target => target,
        }
    }

    /// Whether APISIX may send requests to the Pods of a Service.
    pub fn may_be_upstream(&self, namespace: &str, service: &str) -> bool {
        !self.is_complete || self.snapshot.may_be_upstream(namespace, service)
    }
}
