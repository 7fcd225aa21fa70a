//! Creates Pods at a steady rate while something happens to the webhook, and counts those without the
//! hook.

use std::{
    cell::Cell,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// Pods per second.
pub const RATE: u32 = 25;
/// How many of them are created at the same moment, so that the API server needs several
/// connections to the webhook.
const VOLLEY: u32 = 5;
/// How long there is a storm before the event and, at the least, after it.
const MARGIN: Duration = Duration::from_secs(3);
/// How long one Pod may take: more than the API server gives to the webhook.
const CREATE_LIMIT: Duration = Duration::from_secs(30);
/// The longest time of a storm.
const LIMIT: Duration = Duration::from_secs(180);

/// The result of a storm.
#[derive(Debug)]
pub struct Storm {
    event: String,
    /// How many Pods were created.
    pub created: usize,
    /// When the Pods without the hook were requested, since the storm began.
    pub without_hook: Vec<Duration>,
    /// Why Pods were not created.
    pub refused: Vec<String>,
    /// How long 99 of 100 creates took at the most.
    pub p99: Duration,
    /// How long the slowest create took.
    pub slowest: Duration,
    /// How long the event took.
    pub event_took: Duration,
    /// How long Pods were created.
    pub took: Duration,
}

/// `storm: rollout restart: 1500 Pods in 60 s, 0 without the hook, p99 40 ms, slowest
/// 120 ms`.
impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "storm: {}: {} Pods in {:.0} s, {} without the hook, p99 {} ms, slowest {} ms",
            self.event,
            self.created,
            self.took.as_secs_f64(),
            self.without_hook.len(),
            self.p99.as_millis(),
            self.slowest.as_millis(),
        )
    }
}

/// Creates Pods in `namespace` for at least `at_least`, and until `event` is over. The Pods are real,
/// no scheduler places them, and they are deleted afterwards.
///
/// # Errors
/// Those of the event, or when it is not over within 3 minutes.
pub async fn during(
    client: &Client,
    namespace: &str,
    name: &str,
    at_least: Duration,
    event: impl Future<Output = Result<()>>,
) -> Result<Storm> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let began = Instant::now();
    let over = Cell::new(false);

    let creating = async {
        let mut creates = JoinSet::new();
        let mut volleys = interval(Duration::from_secs(VOLLEY.into()) / RATE);
        // A machine that falls behind catches up: the number of Pods does not depend on it.
        volleys.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while !over.get() && began.elapsed() < LIMIT {
            volleys.tick().await;
            for _ in 0..VOLLEY {
                creates.spawn(create(pods.clone(), began));
            }
        }
        let took = began.elapsed();
        (took, creates.join_all().await)
    };
    let happening = async {
        sleep(MARGIN).await;
        let event_began = Instant::now();
        let result = timeout(LIMIT, event).await.context("the event is not over");
        let event_took = event_began.elapsed();
        sleep(at_least.saturating_sub(began.elapsed()).max(MARGIN)).await;
        over.set(true);
        result?.map(|()| event_took)
    };
    let ((took, creates), event_took) = tokio::join!(creating, happening);
    pods.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default())
        .await?;

    let mut storm = Storm {
        event: name.to_owned(),
        created: 0,
        without_hook: Vec::new(),
        refused: Vec::new(),
        p99: Duration::ZERO,
        slowest: Duration::ZERO,
        event_took: event_took?,
        took,
    };
    let mut times: Vec<_> = creates.iter().map(|create| create.took).collect();
    times.sort_unstable();
    storm.p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    storm.slowest = times.last().copied().unwrap_or_default();
    for create in creates {
        match create.hook {
            Ok(hook) => {
                storm.created += 1;
                if !hook {
                    storm.without_hook.push(create.at);
                }
            }
            Err(error) => storm.refused.push(format!("{error:#}")),
        }
    }
    Ok(storm)
}

/// One Pod: when it was requested, how long that took, and whether it has the hook.
struct Create {
    at: Duration,
    took: Duration,
    hook: Result<bool>,
}

async fn create(pods: Api<Pod>, began: Instant) -> Create {
    let at = began.elapsed();
    let hook = async {
        let pod = serde_json::from_value(json!({
            "metadata": {"generateName": "storm-"},
            "spec": {
                "schedulerName": "nobody",
                "containers": [{"name": "app", "image": "none"}],
            },
        }))?;
        Ok(has_hook(&pods.create(&PostParams::default(), &pod).await?))
    };
    let hook = timeout(CREATE_LIMIT, hook).await.context("no answer").flatten();
    Create { at, took: began.elapsed() - at, hook }
}

/// Whether the first container of a Pod has a preStop hook.
pub fn has_hook(pod: &Pod) -> bool {
    let app = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    app.and_then(|app| app.lifecycle.as_ref()?.pre_stop.as_ref()).is_some()
}
