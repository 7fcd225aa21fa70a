//! The proof: a rolling update loses requests without the webhook, and none with it.

use std::time::Duration;

use anyhow::Result;
use apisix_prestop_e2e::{
    command::apply,
    gateway::ROUTED,
    namespace::{OPTED_IN, with_namespace, with_values},
    rollout::{RATE, Rolling, Rollout, measure},
    route::Route,
};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};

const DELAY: Duration = Duration::from_secs(5);
/// The watch reports a deletion a moment after it happens.
const WATCH_LAG: Duration = Duration::from_millis(250);

/// The seconds of the native sleep, and the grace period.
fn hook(pod: &Pod) -> (Option<i64>, Option<i64>) {
    let spec = pod.spec.as_ref().unwrap();
    let pre_stop = spec.containers[0].lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref());
    let sleep = pre_stop.and_then(|handler| handler.sleep.as_ref()).map(|sleep| sleep.seconds);
    (sleep, spec.termination_grace_period_seconds)
}

/// Rolls a workload behind each kind of route, all at the same time.
async fn measure_all(
    client: &Client,
    namespace: &str,
    rolling: Rolling,
) -> Result<Vec<(Route, Rollout)>> {
    try_join_all(Route::ALL.map(async |route| {
        let rollout = measure(client, namespace, route, rolling).await?;
        let (sent, failed) = (rollout.load.sent, rollout.load.failed);
        println!("{}: {failed} of {sent} requests failed", route.kind());
        Ok((route, rollout))
    }))
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_rolling_update_loses_requests_without_the_webhook() -> Result<()> {
    with_namespace("without", ROUTED, async |client, namespace| {
        for (route, rollout) in measure_all(&client, namespace, Rolling::default()).await? {
            let kind = route.kind();
            assert!(
                rollout.load.failed > 0,
                "without the webhook some requests have to fail behind an {kind}, or the other \
                 test proves nothing: {rollout:#?}"
            );
            for stopped in &rollout.stopped {
                assert_eq!(hook(&stopped.pod), (None, Some(30)), "nothing is injected");
                assert!(
                    stopped.time_to_sigterm < DELAY / 2,
                    "SIGTERM comes at once, not after {:?}",
                    stopped.time_to_sigterm
                );
            }
        }
        Ok(())
    })
    .await
}

/// A Deployment that no Service selects.
const WORKER: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: worker, image: none}]}
";

/// Only the upstreams of APISIX get the sleep. Their first Pods are older than their routes, so they
/// are restarted first, as docs/upstreams.md says.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_rolling_update_loses_no_request_with_the_webhook() -> Result<()> {
    let labels = format!("{ROUTED}, {OPTED_IN}");
    let values = ["injection.targets=upstreams"];
    with_values("with", &labels, &values, async |client, namespace| {
        apply(namespace, WORKER).await?;
        let rolling = Rolling { restarts_first: true, ..Rolling::default() };
        let rollouts = measure_all(&client, namespace, rolling).await?;
        let pods = Api::<Pod>::namespaced(client, namespace);
        let workers = pods.list(&ListParams::default().labels("app=worker")).await?.items;
        assert_eq!(workers.len(), 1, "the worker has a Pod");
        assert_eq!(hook(&workers[0]), (None, Some(30)), "no route leads to the worker");
        for (route, rollout) in rollouts {
            let kind = route.kind();
            assert_eq!(
                rollout.load.failed, 0,
                "no request behind an {kind} may fail: {rollout:#?}"
            );
            assert!(
                rollout.load.ok > u64::from(RATE) * rollout.took.as_secs(),
                "requests are sent and answered during the whole rollout: {rollout:#?}"
            );
            assert_eq!(rollout.stopped.len(), 4, "{rollout:#?}");
            for stopped in &rollout.stopped {
                assert_eq!(
                    hook(&stopped.pod),
                    (Some(5), Some(30)),
                    "the native sleep, and the grace period as it was: 5 s + 10 s fit into it"
                );
                assert!(
                    stopped.time_to_sigterm + WATCH_LAG >= DELAY,
                    "the kubelet has to wait {DELAY:?} before SIGTERM, not {:?}",
                    stopped.time_to_sigterm
                );
            }
        }
        Ok(())
    })
    .await
}
