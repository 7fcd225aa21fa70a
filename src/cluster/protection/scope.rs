//! Whose Pods a watch covers.

use std::{collections::BTreeSet, fmt};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ApiResource};

use super::super::watched_object::WatchedObject;
use crate::constants::MAX_WATCHED_NAMESPACES;

/// Whose Pods a watch covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Those of all namespaces.
    Cluster,
    /// Those of one namespace.
    Namespace(String),
}

impl Scope {
    /// The watches for namespaces that have opted in. From one watch on all it goes back to one for
    /// each only when there are half as many: a namespace that comes and goes changes nothing.
    pub(super) fn of<'n>(
        opted_in: impl ExactSizeIterator<Item = &'n String>,
        now: &BTreeSet<Self>,
    ) -> BTreeSet<Self> {
        let most = if now.contains(&Self::Cluster) {
            MAX_WATCHED_NAMESPACES / 2
        } else {
            MAX_WATCHED_NAMESPACES
        };
        if opted_in.len() > most {
            return [Self::Cluster].into();
        }
        opted_in.cloned().map(Self::Namespace).collect()
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster => None,
            Self::Namespace(name) => Some(name),
        }
    }

    pub(super) fn api(&self, client: Client) -> Api<WatchedObject> {
        WatchedObject::api(client, &ApiResource::erase::<Pod>(&()), self.namespace())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("Pods of all namespaces"),
            Self::Namespace(name) => write!(f, "Pods of {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_the_bound_there_is_one_watch_until_half_of_it() {
        let names = |count: usize| (0..count).map(|i| format!("ns-{i}")).collect::<Vec<_>>();
        let mut scopes = BTreeSet::new();
        let mut watches = |count: usize| {
            scopes = Scope::of(names(count).iter(), &scopes);
            scopes.len()
        };
        assert_eq!(watches(0), 0, "nobody has opted in");
        assert_eq!(watches(MAX_WATCHED_NAMESPACES), MAX_WATCHED_NAMESPACES);
        assert_eq!(watches(MAX_WATCHED_NAMESPACES + 1), 1, "one watch on all");
        assert_eq!(watches(MAX_WATCHED_NAMESPACES), 1, "still");
        assert_eq!(watches(MAX_WATCHED_NAMESPACES / 2), MAX_WATCHED_NAMESPACES / 2);
    }
}
