//! Which namespaces have opted in.

use std::{collections::HashSet, sync::Arc};

use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::ApiResource, runtime::watcher};

use super::{
    watch::{Follower, Index},
    watched_object::WatchedObject,
};
use crate::constants::{INJECT_ENABLED, INJECT_LABEL};

/// The names of the namespaces that have opted in. It is empty until the API server has listed them.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptedIn(Arc<ArcSwap<HashSet<String>>>);

impl OptedIn {
    /// Whether the namespace `name` has opted in.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.load().contains(name)
    }

    /// The names now.
    pub(super) fn names(&self) -> Arc<HashSet<String>> {
        self.0.load_full()
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(names: [&str; N]) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(names.map(str::to_owned).into())))
    }

    /// Follows the namespaces of the cluster.
    pub(crate) async fn follow(self, client: Client) {
        let api = Api::<WatchedObject>::all_with(client, &ApiResource::erase::<Namespace>(&()));
        let config = watcher::Config::default().labels(&format!("{INJECT_LABEL}={INJECT_ENABLED}"));
        let mut watch = Follower::new(api, config, "Namespace");
        let mut names = Names::default();
        loop {
            watch.follow(&mut names).await;
            self.0.store(Arc::new(names.0.clone()));
        }
    }
}

#[derive(Default)]
struct Names(HashSet<String>);

impl Index<WatchedObject> for Names {
    fn apply(&mut self, namespace: WatchedObject) {
        self.0.insert(namespace.name().to_owned());
    }

    fn delete(&mut self, namespace: WatchedObject) {
        self.0.remove(namespace.name());
    }

    fn reset(&mut self, namespaces: Vec<WatchedObject>) {
        self.0 = namespaces.iter().map(|namespace| namespace.name().to_owned()).collect();
    }
}
