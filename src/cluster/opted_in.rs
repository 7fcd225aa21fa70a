//! Which namespaces have opted in.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::ApiResource, runtime::watcher};

use super::{
    namespace_text::opt_in,
    watch::{Follower, Index},
    watched_object::WatchedObject,
};
use crate::{
    constants::{INJECT_ENABLED_VALUES, INJECT_LABEL, NAMESPACE_NAME_LABEL},
    protection::NamespaceOptIn,
};

/// The namespaces that have opted in, by their names.
pub(super) type OptIns = HashMap<String, NamespaceOptIn>;

/// The namespaces that have opted in. There are none until the API server has listed them.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptedIn(Arc<ArcSwap<OptIns>>);

impl OptedIn {
    /// Whether the namespace `name` has opted in.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.load().contains_key(name)
    }

    /// Those of now.
    pub(super) fn now(&self) -> Arc<OptIns> {
        self.0.load_full()
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(names: [&str; N]) -> Self {
        let opt_ins = names.map(|name| (name.to_owned(), NamespaceOptIn::default()));
        Self(Arc::new(ArcSwap::from_pointee(opt_ins.into())))
    }

    /// Follows the namespaces that `selector` selects. Without it, those with the label that opts in.
    pub(crate) async fn follow(self, client: Client, selector: Option<String>) {
        let api = Api::<WatchedObject>::all_with(client, &ApiResource::erase::<Namespace>(&()));
        let opted_in = || {
            let values = INJECT_ENABLED_VALUES.join(",");
            format!("{INJECT_LABEL} in ({values}),{NAMESPACE_NAME_LABEL}!=kube-system")
        };
        let selector = selector.unwrap_or_else(opted_in);
        let config = watcher::Config::default().labels(&selector);
        let mut watch = Follower::new(api, config, "Namespace");
        let mut listed = OptInIndex::default();
        loop {
            watch.follow(&mut listed).await;
            self.0.store(Arc::new(listed.0.clone()));
        }
    }
}

#[derive(Default)]
struct OptInIndex(OptIns);

impl Index<WatchedObject> for OptInIndex {
    fn apply(&mut self, namespace: WatchedObject) {
        // The API server only shows those that have opted in.
        let opt_in = opt_in(namespace.text(), &|_| true);
        self.0.insert(namespace.name().to_owned(), opt_in);
    }

    fn delete(&mut self, namespace: WatchedObject) {
        self.0.remove(namespace.name());
    }

    fn reset(&mut self, namespaces: Vec<WatchedObject>) {
        self.0.clear();
        namespaces.into_iter().for_each(|namespace| self.apply(namespace));
    }
}
