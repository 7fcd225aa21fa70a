//! The measurement.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::{Client, api::ApiResource};
use tokio::{sync::watch, time::sleep};

use super::super::webhook_flags::WebhookFlags;
use super::{
    args::MeasureArgs,
    error::MeasureError,
    rolled_workload::{RollableKind, RolledWorkload},
};
use crate::{
    cluster::{
        GatewayPlace, Installed, PodFacts, PropagationObserver, PropagationWatch, Restart, connect,
    },
    constants::{FIRST_ANSWERS, MAX_KNOWN_DEPARTURES, PROPAGATION_TICK},
    propagation::{
        AutoDelaySettings, DepartureOutcome, MeasuredPod, Measurement, PodId, PropagationReport,
        Tracker,
    },
    units::Delay,
};

/// Measures until it is dropped, or until the Pods of `--roll` have gone, and passes a report to
/// `on_progress` once a second.
pub(super) async fn run_measurement(
    args: MeasureArgs,
    on_progress: impl FnMut(PropagationReport),
) -> Result<(), MeasureError> {
    let MeasureArgs { namespace, roll, gateway, .. } = args;
    let client = connect().await.map_err(|error| MeasureError::NoCluster(error.to_string()))?;
    let place = GatewayPlace::from(gateway);
    let gateways = place.count(&client).await;
    if gateways.map_err(|error| MeasureError::Gateways(error.to_string()))? == 0 {
        let GatewayPlace { namespace, selector, .. } = place;
        return Err(MeasureError::NoGateway { namespace, selector });
    }
    let (settings, configured) = configured(&client).await;
    let namespace = match (namespace, &roll) {
        (None, Some(_)) => Some(client.default_namespace().to_owned()),
        (namespace, _) => namespace,
    };
    let is_upstream =
        |of: &str, _: &str| namespace.as_ref().is_none_or(|namespace| namespace == of);
    let (leaving, left) = watch::channel(0);
    let (at_once, ends_at_once) = watch::channel(false);
    let mut progress = MeasureProgress {
        measurement: Measurement::new(settings, configured, Duration::ZERO),
        only: roll.as_ref().map(ToString::to_string),
        namespace: namespace.clone().unwrap_or_default(),
        pods: HashMap::new(),
        leaving,
        ends_at_once,
        on_progress,
    };
    let watch = PropagationWatch::new(client.clone(), place, &is_upstream);
    let rolled = async {
        match &roll {
            Some(workload) => {
                let namespace = namespace.as_deref().unwrap_or_default();
                roll_out(client, namespace, workload, at_once, left).await
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = watch.measure(&mut progress) => Ok(()),
        rolled = rolled => rolled,
    }
}

/// Restarts a workload, and waits until no Pod of before is left, at a gateway or otherwise.
async fn roll_out(
    client: Client,
    namespace: &str,
    workload: &RolledWorkload,
    at_once: watch::Sender<bool>,
    mut leaving: watch::Receiver<usize>,
) -> Result<(), MeasureError> {
    // What a gateway has now tells which Pods count.
    sleep(FIRST_ANSWERS).await;
    let resource = match workload.kind {
        RollableKind::Deployment => ApiResource::erase::<Deployment>(&()),
        RollableKind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        RollableKind::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
    };
    let restart = Restart::begin(client, namespace, &resource, &workload.name).await;
    let restart =
        restart.map_err(|error| MeasureError::Roll(workload.to_string(), error.to_string()))?;
    at_once.send_replace(restart.gone().await);
    // Until the last of them is in a report.
    sleep(2 * PROPAGATION_TICK).await;
    let _ = leaving.wait_for(|leaving| *leaving == 0).await;
    Ok(())
}

/// How the delay of the webhook follows, and what it is. Without a webhook, how it would.
async fn configured(client: &Client) -> (AutoDelaySettings, Option<Delay>) {
    let unknown = (AutoDelaySettings::default(), None);
    let Ok(Installed { webhook: Some(Ok(webhook)), .. }) = Installed::find(client).await else {
        return unknown;
    };
    let Ok(flags) = WebhookFlags::read(webhook) else { return unknown };
    let record = flags.measured(client).await;
    let measured = record.ok().flatten().and_then(|record| flags.measured_delay(&record));
    let delay = flags.policy.delay;
    (flags.args.measure.settings(delay), Some(measured.unwrap_or(delay)))
}

/// What is measured so far.
struct MeasureProgress<F> {
    measurement: Measurement,
    /// The one workload that counts, and its namespace.
    only: Option<String>,
    namespace: String,
    pods: HashMap<PodId, MeasuredPod>,
    /// How many Pods have left that gateways may have.
    leaving: watch::Sender<usize>,
    /// Whether a Pod of that workload has ended at once.
    ends_at_once: watch::Receiver<bool>,
    on_progress: F,
}

impl<F: FnMut(PropagationReport)> PropagationObserver for MeasureProgress<F> {
    fn known(&mut self, pod: &PodId, facts: PodFacts) {
        if self.pods.len() < MAX_KNOWN_DEPARTURES {
            let workload = format!("{}/{}", facts.place.kind, facts.place.name).into();
            self.pods.insert(pod.clone(), MeasuredPod { workload, sleep: facts.sleep });
        }
    }

    fn outcome(&mut self, outcome: DepartureOutcome, _: Duration) {
        let pod = match &outcome {
            DepartureOutcome::Dropped(departure) => self.pods.remove(&departure.pod),
            _ => None,
        };
        let counts = |only: &String| pod.as_ref().is_some_and(|pod| *pod.workload == **only);
        if self.only.as_ref().is_none_or(counts) {
            self.measurement.add(&outcome, pod.as_ref());
        }
    }

    fn tick(&mut self, tracker: &Tracker, now: Duration) {
        if let Some(workload) = self.only.as_ref().filter(|_| *self.ends_at_once.borrow()) {
            self.measurement.ends_at_once(&self.namespace, workload);
        }
        self.leaving.send_replace(tracker.leaving());
        (self.on_progress)(self.measurement.report(tracker, now));
    }
}
