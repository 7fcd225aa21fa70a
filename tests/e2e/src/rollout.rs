//! A rolling update behind the gateway, under steady load, with the failed requests counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use apisix_prestop_fixtures::{
    events::{Line, WorkloadEvent},
    load::LoadSummary,
};
use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::{
    command::{apply, kubectl},
    gateway::{self, PROPAGATION_DELAY},
    image::fixtures_image,
    resource_version,
    route::Route,
};

/// Requests per second.
pub const RATE: u32 = 100;

/// The longest time that they are sent. A rollout that takes longer is an error.
const LOAD_LIMIT: Duration = Duration::from_secs(60);

const HEAD_START: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(90);

/// The result of a rollout.
#[derive(Debug)]
pub struct Rollout {
    /// The requests.
    pub load: LoadSummary,
    /// From the restart until the last of the old Pods was gone.
    pub took: Duration,
    /// The old Pods.
    pub stopped: Vec<StoppedPod>,
}

/// A Pod that was replaced.
#[derive(Debug)]
pub struct StoppedPod {
    /// The Pod before.
    pub pod: Pod,
    /// The time from the deletion event of the API server to the SIGTERM of the process, by the clock
    /// of the machine and that of the Pod.
    pub time_to_sigterm: Duration,
}

impl Rollout {
    /// The shortest and the longest time from deletion to SIGTERM.
    pub fn times_to_sigterm(&self) -> Option<(Duration, Duration)> {
        let times = || self.stopped.iter().map(|stopped| stopped.time_to_sigterm);
        Some((times().min()?, times().max()?))
    }
}

/// How to roll a workload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rolling {
    /// Whether the gateway tries another node when it cannot connect to one.
    pub retry: bool,
    /// Whether the workload is restarted once before: its first Pods are older than its route, or than
    /// the delay.
    pub restarts_first: bool,
    /// How late the gateway is, if not by [`PROPAGATION_DELAY`].
    pub propagation: Option<Duration>,
}

/// Rolls a workload behind a route in `namespace` and measures it. The namespace is
/// [`gateway::ROUTED`].
///
/// # Errors
/// When a step takes too long, or the load ended before the rollout.
pub async fn measure(
    client: &Client,
    namespace: &str,
    route: Route,
    Rolling { retry, restarts_first, propagation }: Rolling,
) -> Result<Rollout> {
    let image = fixtures_image()?;
    gateway::install(client, &image).await?;
    resource_version::make_room(client).await?;
    let (name, host) = (route.name(), route.host(namespace));
    let apply = async |manifest: &str| {
        let filled = manifest.replace("$NAME", name).replace("$HOST", &host);
        apply(namespace, &filled.replace("$IMAGE", &image)).await
    };
    apply(include_str!("../manifests/workload.yaml")).await?;
    let status = ["rollout", "status", &format!("deployment/{name}"), "--timeout=90s"];
    kubectl(namespace, &status).await?;
    apply(route.manifest()).await?;
    if !retry {
        apply(include_str!("../manifests/no-retries.yaml")).await?;
    }

    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let routed = async || {
        let listed = pods.list(&ListParams::default().labels(&format!("app={name}"))).await?;
        let is_there = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        let there: Vec<_> = listed.items.into_iter().filter(is_there).collect();
        let nodes = there.iter().filter_map(pod_address).collect();
        gateway::await_nodes(client, namespace, name, &nodes, retry).await?;
        anyhow::Ok(there)
    };
    let mut before = routed().await?;
    if restarts_first {
        kubectl(namespace, &["rollout", "restart", &format!("deployment/{name}")]).await?;
        kubectl(namespace, &status).await?;
        before = routed().await?;
    }

    let load = include_str!("../manifests/load.yaml")
        .replace("$TARGET", &format!("http://{}/", gateway::proxy(client).await?))
        .replace("$RATE", &RATE.to_string())
        .replace("$DURATION", &format!("{}s", LOAD_LIMIT.as_secs()));
    apply(&load).await?;
    let client_pod = format!("load-{name}");
    let running = ["wait", "--for=jsonpath={.status.phase}=Running", "pod", &client_pod];
    kubectl(namespace, &running).await?;
    let load = tokio::spawn(first_line::<LoadSummary>(pods.clone(), client_pod.clone()));
    sleep(HEAD_START).await;

    let (took, stopped) = restart(&pods, namespace, name, before).await?;
    // The load goes on until the gateway has applied the last change.
    sleep(propagation.unwrap_or(PROPAGATION_DELAY)).await;
    let over = epoch_millis()?;
    // Its SIGTERM ends the load.
    pods.delete(&client_pod, &DeleteParams::default()).await?;
    let load = timeout(LIMIT, load).await.context("the load did not end")???;
    ensure!(
        load.ended_epoch_millis > over,
        "the load ended before the rollout was over: {load:?}, {took:?}"
    );
    // Another rollout of the same workload has a client of the same name.
    let gone = ["wait", "--for=delete", "pod", &format!("load-{name}"), "--timeout=60s"];
    kubectl(namespace, &gone).await?;
    Ok(Rollout { load, took, stopped })
}

/// Restarts the Deployment, and waits until the last of the old Pods is gone.
async fn restart(
    pods: &Api<Pod>,
    namespace: &str,
    name: &str,
    old: Vec<Pod>,
) -> Result<(Duration, Vec<StoppedPod>)> {
    // The logs end with the Pods: they are followed from before.
    let sigterms: Vec<_> = old.iter().map(|pod| sigterm(pods.clone(), pod.name_any())).collect();
    let sigterms = tokio::spawn(futures::future::try_join_all(sigterms));
    let watch = WatchParams::default().labels(&format!("app={name}"));
    let mut events = pods.watch(&watch, "0").await?.boxed();

    let began = Instant::now();
    let deployment = format!("deployment/{name}");
    kubectl(namespace, &["rollout", "restart", &deployment]).await?;
    let mut deleted = BTreeMap::new();
    let mut remaining: BTreeSet<_> = old.iter().map(ResourceExt::name_any).collect();
    let until_gone = async {
        while !remaining.is_empty() {
            match events.try_next().await?.context("the watch on the Pods ended")? {
                WatchEvent::Modified(pod) if pod.metadata.deletion_timestamp.is_some() => {
                    deleted.entry(pod.name_any()).or_insert(epoch_millis()?);
                }
                WatchEvent::Deleted(pod) => {
                    remaining.remove(&pod.name_any());
                }
                WatchEvent::Error(error) => bail!("the watch on the Pods failed: {error}"),
                _ => {}
            }
        }
        Ok(())
    };
    timeout(LIMIT, until_gone).await.context("the old Pods are not gone")??;
    let took = began.elapsed();
    kubectl(namespace, &["rollout", "status", &deployment, "--timeout=60s"]).await?;

    let sigterms =
        timeout(LIMIT, sigterms).await.context("the old Pods' logs did not end")???;
    let stopped = old.into_iter().zip(sigterms).map(|(pod, sigterm)| {
        let name = pod.name_any();
        let deleted = deleted.get(&name).with_context(|| format!("{name} was never deleted"))?;
        let time_to_sigterm = Duration::from_millis(sigterm.saturating_sub(*deleted));
        Ok(StoppedPod { pod, time_to_sigterm })
    });
    Ok((took, stopped.collect::<Result<_>>()?))
}

/// When the workload in the Pod says that it got SIGTERM, in milliseconds since the epoch.
async fn sigterm(pods: Api<Pod>, name: String) -> Result<u64> {
    lines(&pods, &name)
        .await?
        .try_filter_map(async |line: Line<WorkloadEvent>| {
            Ok((line.event == WorkloadEvent::Sigterm).then_some(line.epoch_millis))
        })
        .boxed()
        .try_next()
        .await?
        .with_context(|| format!("{name} never got SIGTERM"))
}

/// The first line of the Pod's log that is a `T`.
async fn first_line<T: DeserializeOwned + Send + 'static>(
    pods: Api<Pod>,
    name: String,
) -> Result<T> {
    let line = lines(&pods, &name).await?.boxed().try_next().await?;
    line.with_context(|| format!("the log of {name} ended without a result"))
}

/// The lines of the Pod's log that are a `T`, as they come.
async fn lines<T: DeserializeOwned>(
    pods: &Api<Pod>,
    name: &str,
) -> Result<impl futures::Stream<Item = Result<T>> + use<T>> {
    let follow = LogParams { follow: true, ..LogParams::default() };
    let lines = pods.log_stream(name, &follow).await?.lines();
    Ok(lines
        .map_err(anyhow::Error::from)
        .try_filter_map(async |line| Ok(serde_json::from_str(&line).ok())))
}

fn pod_address(pod: &Pod) -> Option<SocketAddr> {
    let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    Some(SocketAddr::new(address, 8080))
}

fn epoch_millis() -> Result<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(now.as_millis())?)
}
