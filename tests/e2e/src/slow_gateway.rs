//! A gateway that is later than the default delay, and a delay that follows it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use support::eventually;

use crate::{
    command::kubectl,
    gateway::{self, PROPAGATION_DELAY},
    installation::{NAME, await_answer, await_drained},
    rollout::{Rolling, Rollout, measure},
    route::Route,
};

/// How long the gateway takes to apply a change: longer than the default delay.
pub const SLOW: Duration = Duration::from_secs(7);
/// The values of the chart with which the delay follows.
pub const FOLLOWED: &str = "injection.delay=auto";

/// How long the first sample may take to become a delay, and a change may take to reach a replica.
const LIMIT: Duration = Duration::from_secs(60);

/// A rollout with the default delay, and one with the delay that followed.
#[derive(Debug)]
pub struct SlowRollouts {
    /// With the default delay.
    pub fixed: Rollout,
    /// The delay that followed, and what was measured: the data of the ConfigMap.
    pub record: BTreeMap<String, String>,
    /// With that delay.
    pub followed: Rollout,
}

/// Rolls a workload behind the slow gateway: once with the default delay, and again when the delay has
/// followed and the Pods have it. `between` sees the workload before that. The namespace is
/// [`gateway::ROUTED`].
///
/// # Errors
/// When a step takes too long.
pub async fn roll(
    client: &Client,
    namespace: &str,
    fixtures_image: &str,
    between: impl AsyncFnOnce() -> Result<()>,
) -> Result<SlowRollouts> {
    gateway::install(client, fixtures_image).await?;
    gateway::set_propagation_delay(client, SLOW).await?;
    let rolling = Rolling { propagation: Some(SLOW), ..Rolling::default() };
    let rolled = async {
        let fixed = measure(client, namespace, Route::ApisixRoute, rolling).await?;
        let record = eventually("the delay to follow", LIMIT, async || {
            let record = record(client).await?;
            let delay = record.get("delay").context("the ConfigMap has no delay")?;
            ensure!(delay != "5s", "it is still {delay}");
            Ok(record)
        })
        .await?;
        between().await?;
        let rolling = Rolling { restarts_first: true, ..rolling };
        let followed = measure(client, namespace, Route::ApisixRoute, rolling).await?;
        Ok(SlowRollouts { fixed, record, followed })
    };
    let rolled = rolled.await;
    gateway::set_propagation_delay(client, PROPAGATION_DELAY).await?;
    rolled
}

/// Forgets what was measured before.
///
/// # Errors
/// When the webhook does not measure, or does not start again.
pub async fn forget(client: &Client) -> Result<()> {
    let config_map = format!("{NAME}-delay");
    kubectl(NAME, &["patch", "configmap", &config_map, "--type=merge", "-p", r#"{"data": null}"#])
        .await?;
    kubectl(NAME, &["rollout", "restart", "deployment", NAME]).await?;
    kubectl(NAME, &["rollout", "status", "deployment", NAME, "--timeout=120s"]).await?;
    await_drained(client).await?;
    await_answer().await
}

/// What the ConfigMap says.
///
/// # Errors
/// When there is none.
pub async fn record(client: &Client) -> Result<BTreeMap<String, String>> {
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), NAME);
    Ok(config_maps.get(&format!("{NAME}-delay")).await?.data.unwrap_or_default())
}
