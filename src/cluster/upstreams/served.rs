//! Which versions of the kinds the API server serves.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;

use crate::upstreams::Kind;

/// The served version of each kind that is served.
pub(super) type Served = BTreeMap<Kind, &'static str>;

/// The kinds of Kubernetes itself, which every API server serves.
pub(in crate::cluster) fn always_served() -> Served {
    let kinds = Kind::all().filter(|kind| !kind.is_custom());
    kinds.map(|kind| (kind, kind.versions()[0])).collect()
}

/// Asks the API server.
///
/// # Errors
/// When it does not answer.
pub(in crate::cluster) async fn served(client: &Client) -> Result<Served, kube::Error> {
    let groups: BTreeSet<_> =
        Kind::all().filter(|kind| kind.is_custom()).map(Kind::group).collect();
    let mut served = always_served();
    for group in client.list_api_groups().await?.groups {
        if !groups.contains(&*group.name) {
            continue;
        }
        let mut resources = BTreeSet::new();
        for version in group.versions {
            let list = client.list_api_group_resources(&version.group_version).await?;
            let names = list.resources.into_iter().map(|resource| resource.name);
            resources.extend(names.map(|name| (version.version.clone(), name)));
        }
        for kind in Kind::all().filter(|kind| kind.group() == group.name) {
            let mut versions = kind.versions().iter();
            let is_served = |version: &&&'static str| {
                resources.contains(&((**version).to_owned(), kind.plural().to_owned()))
            };
            if let Some(version) = versions.find(is_served) {
                served.insert(kind, version);
            }
        }
    }
    Ok(served)
}
