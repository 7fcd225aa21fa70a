//! The ingress controller compares resource versions as text: an update from 9998 to 10001 is none
//! for it, and a node that is gone stays until the next one. In a new cluster, this would happen
//! during some rollout.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::gateway::NAMESPACE;

/// More writes than the API server gets during a rollout.
const ROOM: u64 = 3_000;
const AT_ONCE: u64 = 20;

/// Writes until the resource version has a new length, if it would soon have it.
///
/// # Errors
/// When the API server does not take the writes.
pub async fn make_room(client: &Client) -> Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _guard = ONE_AT_A_TIME.lock().await;
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    let listed = config_maps.list(&ListParams::default().limit(1)).await?;
    let version = listed.metadata.resource_version.context("no resource version")?;
    let writes = writes(version.parse().context("the resource version is no number")?);
    try_join_all((0..AT_ONCE).map(async |writer| {
        let name = format!("writes-{writer}");
        for write in 0..writes.div_ceil(AT_ONCE) {
            let config_map = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name}, "data": {"write": write.to_string()},
            });
            let apply = PatchParams::apply("e2e");
            config_maps.patch_metadata(&name, &apply, &Patch::Apply(config_map)).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    Ok(())
}

/// How many writes it takes until the version has one digit more, unless that is far off.
fn writes(version: u64) -> u64 {
    let left = 10_u64.pow(version.max(1).ilog10() + 1) - version;
    if left < ROOM { left } else { 0 }
}
