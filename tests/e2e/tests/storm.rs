//! Pods created without a pause while the webhook is rolled, scaled, killed, given other
//! certificates and upgraded: which of them go without the hook.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use std::{fs, time::Duration};

use anyhow::{Result, bail};
use apisix_prestop_e2e::{
    command::run,
    installation::{self, NAME},
    namespace::{OPTED_IN, with_values},
    storm::{self, RATE, Storm},
};
use kube::Client;

/// The chart's own drain delay, and the replicas that the events are about.
const VALUES: [&str; 2] = ["replicaCount=3", "shutdown.drainDelay=5s"];
const SHORT: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);

/// Runs a storm during the event, and prints what it came to.
async fn storm(
    name: &str,
    at_least: Duration,
    event: impl AsyncFnOnce(Client) -> Result<()>,
    check: impl FnOnce(&Storm),
) -> Result<()> {
    with_values("storm", OPTED_IN, &VALUES, async |client, namespace| {
        let storm =
            storm::during(&client, namespace, name, at_least, event(client.clone())).await?;
        println!("{storm}");
        assert_eq!(storm.refused, [""; 0], "no Pod is refused: {storm:#?}");
        let rate = storm.created as f64 / storm.took.as_secs_f64();
        assert!(rate >= 0.8 * f64::from(RATE), "only {rate} Pods per second: {storm:#?}");
        check(&storm);
        Ok(())
    })
    .await
}

fn none_goes_without(storm: &Storm) {
    assert_eq!(storm.without_hook, [Duration::ZERO; 0], "all have the hook: {storm:#?}");
}

async fn kubectl(args: &[&str]) -> Result<()> {
    run("kubectl", &[&["-n", NAME], args].concat()).await?;
    Ok(())
}

/// Waits until the Deployment is as it should be, and the old replicas are gone.
async fn rolled(client: &Client) -> Result<()> {
    kubectl(&["rollout", "status", "deployment", NAME, "--timeout=120s"]).await?;
    installation::await_drained(client).await
}

async fn scale(client: &Client, replicas: u32) -> Result<()> {
    kubectl(&["scale", "deployment", NAME, &format!("--replicas={replicas}")]).await?;
    rolled(client).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_webhook_is_restarted() -> Result<()> {
    let event = async |client: Client| {
        kubectl(&["rollout", "restart", "deployment", NAME]).await?;
        rolled(&client).await
    };
    storm("rollout restart", MINUTE, event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_webhook_is_scaled() -> Result<()> {
    let event = async |client: Client| {
        scale(&client, 1).await?;
        scale(&client, 3).await
    };
    storm("scaled 3, 1, 3", SHORT, event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_chart_is_upgraded() -> Result<()> {
    let event = async |client: Client| {
        let values = [&VALUES[..], &["injection.delay=6s"]].concat();
        installation::install(&client, &values).await
    };
    storm("chart upgraded", SHORT, event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_both_certificates_are_exchanged() -> Result<()> {
    let event = async |client: Client| installation::rotate(&client, &VALUES).await;
    storm("both certificates exchanged", SHORT, event, none_goes_without).await
}

/// Nothing can tell the API server beforehand.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn few_pods_go_without_the_hook_when_a_replica_is_killed() -> Result<()> {
    if std::env::var_os("CLUSTER_INSIDE").is_none() {
        println!("storm: one replica killed: left out, since its process cannot be reached");
        return Ok(());
    }
    let event = async |_: Client| {
        run("kill", &["-KILL", &a_replica()?]).await?;
        Ok(())
    };
    storm("one replica killed", SHORT, event, |_| {}).await
}

/// The process of one of the replicas, which all are seen from the node.
fn a_replica() -> Result<String> {
    for process in fs::read_dir("/proc")? {
        let process = process?;
        // It may have ended by now, and not all that is here is a process.
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        if command.starts_with(b"/apisix-prestop\0serve\0") {
            return Ok(process.file_name().to_string_lossy().into_owned());
        }
    }
    bail!("no replica runs on this node")
}
