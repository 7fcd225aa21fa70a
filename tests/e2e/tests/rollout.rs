//! The proof: a rolling update loses requests without the webhook, and none with it.

use std::time::Duration;

use anyhow::Result;
use apisix_prestop_e2e::{
    gateway::ROUTED,
    namespace::{OPTED_IN, with_namespace},
    rollout::{RATE, Rollout, measure},
    route::Route,
};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;

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
async fn measure_all(client: &Client, namespace: &str) -> Result<Vec<(Route, Rollout)>> {
    try_join_all(Route::ALL.map(async |route| {
        let rollout = measure(client, namespace, route, false).await?;
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
        for (route, rollout) in measure_all(&client, namespace).await? {
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

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_rolling_update_loses_no_request_with_the_webhook() -> Result<()> {
    with_namespace("with", &format!("{ROUTED}, {OPTED_IN}"), async |client, namespace| {
        for (route, rollout) in measure_all(&client, namespace).await? {
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
