//! What the replica that holds the Lease makes of what it measures.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use super::{
    apisix_controller::name_controller, context::PropagationContext, metrics::ShownPropagation,
    pod_facts::PodFacts, propagation_watch::PropagationObserver, record_writer::NewRecord,
};
use crate::{
    constants::{MAX_KNOWN_DEPARTURES, RECORD_INTERVAL},
    propagation::{AutoDelay, DelayChange, Departure, DepartureOutcome, PodId, Tracker},
    protection::WorkloadPlace,
};

/// Shows what is measured, and lets the delay follow.
pub(super) struct ServedPropagation<'c> {
    context: &'c PropagationContext,
    client: Client,
    shown: ShownPropagation,
    /// None until the ConfigMap is read: a delay that was found out earlier does not begin again.
    auto: Option<AutoDelay>,
    records: watch::Sender<NewRecord>,
    recorded: Recorded,
    /// What is known of Pods that have left.
    departing: HashMap<PodId, PodFacts>,
    workloads: BTreeMap<WorkloadPlace, Headroom>,
    is_behind: bool,
    /// The gateways that cannot be asked.
    unanswered: BTreeSet<PodId>,
}

/// When something was recorded last, and how many samples there were.
#[derive(Default)]
struct Recorded {
    at: Option<Duration>,
    samples: u64,
}

/// How long the Pods of a workload sleep, against how long they take to be dropped.
struct Headroom {
    sleep: u64,
    slowest: Duration,
    at: Duration,
}

impl<'c> ServedPropagation<'c> {
    pub(super) fn new(
        context: &'c PropagationContext,
        client: Client,
        records: watch::Sender<NewRecord>,
    ) -> Self {
        Self {
            context,
            client,
            shown: context.metrics.show(),
            auto: None,
            records,
            recorded: Recorded::default(),
            departing: HashMap::new(),
            workloads: BTreeMap::new(),
            is_behind: false,
            unanswered: BTreeSet::new(),
        }
    }

    fn dropped(&mut self, departure: &Departure, now: Duration) {
        let facts = self.departing.remove(&departure.pod);
        let took = departure.took;
        let seconds = took.as_secs_f64();
        let pod = departure.pod.to_string();
        let gateway = departure.gateways.first().map(|(gateway, _)| gateway.to_string());
        if self.context.auto_delay.is_outlier(took) {
            self.context.metrics.outlier();
            tracing::warn!(
                pod,
                gateway,
                seconds,
                "APISIX let go of a Pod so late that no delay helps"
            );
        } else {
            self.context.metrics.sample(took);
            tracing::debug!(pod, gateway, seconds, "APISIX let go of a Pod");
            if let Some(PodFacts { place, sleep: Some(sleep) }) = facts {
                self.note_headroom(place, sleep, took, now);
            }
        }
        let change = self.auto.as_mut().and_then(|auto| auto.observe(took, now));
        self.changed(change, now);
    }

    fn note_headroom(&mut self, place: WorkloadPlace, sleep: u64, took: Duration, now: Duration) {
        let place = WorkloadPlace { revision: String::new(), ..place };
        let headroom =
            self.workloads.entry(place).or_insert(Headroom { sleep, slowest: took, at: now });
        headroom.sleep = sleep;
        if took >= headroom.slowest || self.context.is_old(headroom.at, now) {
            (headroom.slowest, headroom.at) = (took, now);
        }
    }

    /// Records the delay, if it has changed, or what is measured, now and then.
    fn changed(&mut self, change: Option<DelayChange>, now: Duration) {
        let Some(auto) = &self.auto else { return };
        let change = change.filter(|_| self.context.measured.sets_delay());
        if let Some(change) = &change {
            self.context.metrics.changed(change.cause);
            tracing::info!(cause = change.cause.as_str(), "{change}");
        }
        let is_due = |at: Duration| now.saturating_sub(at) >= RECORD_INTERVAL;
        let has_news = auto.samples() != self.recorded.samples;
        if change.is_some() || has_news && self.recorded.at.is_none_or(is_due) {
            self.recorded = Recorded { at: Some(now), samples: auto.samples() };
            let mut record = auto.record(Timestamp::now().strftime("%FT%TZ").to_string());
            if !self.context.measured.sets_delay() {
                record.delay = None;
            }
            self.records.send_replace(NewRecord { record: Some(record), change });
        }
    }

    /// Says so when a gateway cannot be asked, and when it answers again.
    fn look_at_answers(&mut self, tracker: &Tracker, now: Duration) {
        let mut unanswered = BTreeSet::new();
        for state in tracker.gateways(now) {
            let gateway = state.gateway.to_string();
            match state.problem {
                Some(error) => {
                    if !self.unanswered.contains(state.gateway) {
                        tracing::warn!(gateway, error, "cannot ask a gateway");
                    }
                    unanswered.insert(state.gateway.clone());
                }
                None if self.unanswered.contains(state.gateway) => {
                    tracing::info!(gateway, "a gateway answers again");
                }
                None => {}
            }
        }
        self.unanswered = unanswered;
    }

    /// Says so when a gateway begins to lag behind more than a delay can cover, and when it is over.
    fn look_behind(&mut self, tracker: &Tracker, now: Duration) {
        let max = self.context.auto_delay.range.max.duration();
        let first = tracker.overdue(now, max).min_by_key(|overdue| overdue.left);
        match first {
            Some(overdue) if !self.is_behind => {
                self.is_behind = true;
                let (pod, gateway) = (overdue.pod.to_string(), overdue.gateway.to_string());
                let seconds = now.saturating_sub(overdue.left).as_secs_f64();
                let client = self.client.clone();
                tokio::spawn(name_controller(client, pod, gateway, seconds));
            }
            None if self.is_behind => {
                self.is_behind = false;
                tracing::info!("APISIX follows again");
            }
            _ => {}
        }
    }
}

impl PropagationObserver for ServedPropagation<'_> {
    fn known(&mut self, pod: &PodId, facts: PodFacts) {
        if self.departing.len() < MAX_KNOWN_DEPARTURES {
            self.departing.insert(pod.clone(), facts);
        }
    }

    fn outcome(&mut self, outcome: DepartureOutcome, now: Duration) {
        match outcome {
            DepartureOutcome::Dropped(departure) => self.dropped(&departure, now),
            DepartureOutcome::Stale { pod, gateway, address, .. } => {
                self.departing.remove(&pod);
                let (pod, gateway) = (pod.to_string(), gateway.to_string());
                tracing::warn!(pod, gateway, %address, "a gateway has a stale address");
            }
            DepartureOutcome::StaleEnded { pod, gateway } => {
                let (pod, gateway) = (pod.to_string(), gateway.to_string());
                tracing::info!(pod, gateway, "a gateway has dropped a stale address");
            }
            DepartureOutcome::Unanswered { pod, gateway } => {
                self.departing.remove(&pod);
                let (pod, gateway) = (pod.to_string(), gateway.to_string());
                tracing::debug!(
                    pod,
                    gateway,
                    "a gateway did not answer often enough to measure a Pod"
                );
            }
            DepartureOutcome::Void { pod, cause } => {
                self.departing.remove(&pod);
                tracing::debug!(%pod, cause = cause.as_str(), "nothing to measure of a Pod");
            }
        }
    }

    fn tick(&mut self, tracker: &Tracker, now: Duration) {
        if let Some(record) = self.context.measured.record() {
            let settings = self.context.auto_delay;
            let auto = self.auto.get_or_insert_with(|| AutoDelay::restored(settings, &record));
            let change = auto.pin(record.pin).or_else(|| auto.update(now));
            self.changed(change, now);
        }
        self.workloads.retain(|_, headroom| !self.context.is_old(headroom.at, now));
        let left = self.workloads.iter().map(|(place, Headroom { sleep, slowest, .. })| {
            (place, Duration::from_secs(*sleep).as_secs_f64() - slowest.as_secs_f64())
        });
        self.shown.workloads(left);
        self.shown.left_out(tracker.left_out());
        self.shown.gateways(tracker, now, self.context.auto_delay.range.max.duration());
        self.look_at_answers(tracker, now);
        self.look_behind(tracker, now);
    }
}
