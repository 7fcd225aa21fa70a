//! The proof: a rolling update loses requests without the webhook, and none with it.

use std::time::Duration;

use anyhow::Result;
use apisix_prestop_e2e::{
    namespace::{OPTED_IN, with_namespace},
    rollout::{LOAD_DURATION, RATE, measure},
};
use k8s_openapi::api::core::v1::Pod;

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

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_rolling_update_loses_requests_without_the_webhook() -> Result<()> {
    with_namespace("without", "", async |client, namespace| {
        let rollout = measure(&client, namespace, false).await?;
        assert!(
            rollout.load.failed > 0,
            "without the webhook some requests have to fail, or the other test proves nothing: \
             {rollout:#?}"
        );
        for stopped in &rollout.stopped {
            assert_eq!(hook(&stopped.pod), (None, Some(30)), "nothing is injected");
            assert!(
                stopped.time_to_sigterm < DELAY / 2,
                "SIGTERM comes at once, not after {:?}",
                stopped.time_to_sigterm
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_rolling_update_loses_no_request_with_the_webhook() -> Result<()> {
    with_namespace("with", OPTED_IN, async |client, namespace| {
        let rollout = measure(&client, namespace, false).await?;
        let sent = u64::from(RATE) * LOAD_DURATION.as_secs();
        assert_eq!(
            (rollout.load.sent, rollout.load.ok, rollout.load.failed),
            (sent, sent, 0),
            "every request that was sent has to be answered: {rollout:#?}"
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
        Ok(())
    })
    .await
}
