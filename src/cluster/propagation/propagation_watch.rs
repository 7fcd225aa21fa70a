//! Watches Pods leave their Services, and asks the gateways until they have dropped them.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client, api::ApiResource, runtime::watcher};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    super::{watch::Follower, watched_object::WatchedObject},
    gateway_client::{AskError, GatewayAnswer, ask},
    gateway_index::GatewayIndex,
    gateway_place::GatewayPlace,
    pod_facts::{PodFacts, pod_facts},
    slice_index::SliceIndex,
};
use crate::{
    constants::{
        ALL_PATHS_INTERVAL, CONCURRENT_POD_READS, MAX_WAITING_POD_READS, PODS_OF_A_PAGE,
        PROPAGATION_TICK,
    },
    propagation::{ControlApiPath, DepartureOutcome, EndpointChange, PodId, Tracker},
};

/// Learns what a [`PropagationWatch`] sees.
pub(crate) trait PropagationObserver {
    /// A Pod that has left is known now.
    fn known(&mut self, pod: &PodId, facts: PodFacts);
    /// Something became of a Pod that has left.
    fn outcome(&mut self, outcome: DepartureOutcome, now: Duration);
    /// Called every second.
    fn tick(&mut self, tracker: &Tracker, now: Duration);
}

/// Measures how long the gateways take to drop Pods that leave their Services.
pub(crate) struct PropagationWatch<'a> {
    client: Client,
    place: GatewayPlace,
    /// Whether APISIX sends requests to a Service, by namespace and name.
    is_upstream: &'a (dyn Fn(&str, &str) -> bool + Sync),
    started: Instant,
    tracker: Tracker,
    gateways: BTreeMap<PodId, IpAddr>,
    paths: BTreeMap<PodId, KnownPaths>,
    polls: JoinSet<(PodId, Duration, Result<GatewayAnswer, AskError>)>,
    reads: JoinSet<(PodId, Option<PodFacts>)>,
    waiting_reads: VecDeque<PodId>,
}

impl<'a> PropagationWatch<'a> {
    /// A watch that has not begun.
    pub(crate) fn new(
        client: Client,
        place: GatewayPlace,
        is_upstream: &'a (dyn Fn(&str, &str) -> bool + Sync),
    ) -> Self {
        Self {
            client,
            place,
            is_upstream,
            started: Instant::now(),
            tracker: Tracker::default(),
            gateways: BTreeMap::new(),
            paths: BTreeMap::new(),
            polls: JoinSet::new(),
            reads: JoinSet::new(),
            waiting_reads: VecDeque::new(),
        }
    }

    /// Measures, and tells `observer`. Never ends by itself; nothing goes on after it is dropped.
    pub(crate) async fn measure(mut self, observer: &mut impl PropagationObserver) {
        let pages = watcher::Config::default().page_size(PODS_OF_A_PAGE);
        let resource = ApiResource::erase::<EndpointSlice>(&());
        let api = Api::<WatchedObject>::all_with(self.client.clone(), &resource);
        let mut slices = Follower::new(api, pages.clone(), "EndpointSlice");
        let pages = pages.labels(&self.place.selector);
        let mut pods = Follower::new(self.place.pods(&self.client), pages, "Pods of the gateway");
        let (mut slice_index, mut gateway_index) = (SliceIndex::default(), GatewayIndex::default());
        let mut ticks = interval(PROPAGATION_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.poll();
            self.read_pods();
            let now = self.started.elapsed();
            for outcome in self.tracker.take_outcomes() {
                observer.outcome(outcome, now);
            }
            let next_poll = self.tracker.next_due().map(|due| self.started + due);
            let poll_is_due = async {
                match next_poll {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = slices.follow(&mut slice_index) => self.take_slices(&mut slice_index),
                () = pods.follow(&mut gateway_index) => self.take_gateways(&gateway_index),
                Some(done) = self.polls.join_next() => if let Ok((gateway, asked, answer)) = done {
                    self.take_answer(&gateway, asked, answer);
                },
                Some(done) = self.reads.join_next() => if let Ok((pod, Some(facts))) = done {
                    observer.known(&pod, facts);
                },
                () = poll_is_due => {}
                _ = ticks.tick() => observer.tick(&self.tracker, self.started.elapsed()),
            }
        }
    }

    fn take_slices(&mut self, index: &mut SliceIndex) {
        let now = self.started.elapsed();
        for (change, is_seen) in index.take_changes() {
            match change {
                EndpointChange::Ready(pod, addresses) => self.tracker.ready(pod, addresses),
                EndpointChange::Left { pod, service }
                    if is_seen && (self.is_upstream)(&pod.namespace, &service) =>
                {
                    self.tracker.leave(&pod, now);
                    if self.waiting_reads.len() < MAX_WAITING_POD_READS {
                        self.waiting_reads.push_back(pod);
                    }
                }
                EndpointChange::Left { pod, .. } => self.tracker.forget(&pod),
            }
        }
    }

    fn take_gateways(&mut self, index: &GatewayIndex) {
        let running: BTreeMap<_, _> = index.running().cloned().collect();
        for gone in self.gateways.keys().filter(|gateway| !running.contains_key(gateway)) {
            self.tracker.gateway_gone(gone);
        }
        for new in running.keys().filter(|gateway| !self.gateways.contains_key(gateway)) {
            self.tracker.gateway(new.clone());
        }
        self.paths.retain(|gateway, _| running.contains_key(gateway));
        self.gateways = running;
    }

    /// Asks the gateways that are due.
    fn poll(&mut self) {
        let now = self.started.elapsed();
        for gateway in self.tracker.due(now) {
            let Some(ip) = self.gateways.get(&gateway).copied() else { continue };
            let wanted = self.tracker.wanted();
            let access = self.place.access(&self.client, &gateway, ip);
            let paths = self.paths.entry(gateway.clone()).or_default().ask_at(now);
            self.polls.spawn(async move {
                let answer = ask(&access, &paths, &wanted).await;
                (gateway, now, answer)
            });
        }
    }

    fn take_answer(
        &mut self,
        gateway: &PodId,
        asked: Duration,
        answer: Result<GatewayAnswer, AskError>,
    ) {
        let now = self.started.elapsed();
        match answer {
            Ok(GatewayAnswer { present, paths }) => {
                self.paths.entry(gateway.clone()).or_default().have(paths);
                self.tracker.answered(gateway, asked, now, &present);
            }
            Err(error) => self.tracker.failed(gateway, now, &error.to_string()),
        }
    }

    /// Reads the Pods that have left, while they are still there.
    fn read_pods(&mut self) {
        while self.reads.len() < CONCURRENT_POD_READS {
            let Some(pod) = self.waiting_reads.pop_front() else { return };
            let client = self.client.clone();
            self.reads.spawn(async move {
                let facts = pod_facts(&client, &pod).await;
                (pod, facts)
            });
        }
    }
}

/// The paths of a gateway's Control API that have addresses of Pods. All are asked now and then: a
/// route may come that has its nodes elsewhere.
#[derive(Default)]
struct KnownPaths {
    paths: Vec<ControlApiPath>,
    all_asked: Option<Duration>,
}

impl KnownPaths {
    fn ask_at(&mut self, now: Duration) -> Vec<ControlApiPath> {
        let is_recent = |asked: Duration| now.saturating_sub(asked) < ALL_PATHS_INTERVAL;
        if !self.paths.is_empty() && self.all_asked.is_some_and(is_recent) {
            return self.paths.clone();
        }
        self.all_asked = Some(now);
        ControlApiPath::ALL.to_vec()
    }

    fn have(&mut self, paths: Vec<ControlApiPath>) {
        for path in paths {
            if !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
    }
}
