//! Keeps an index of the cluster's objects, and publishes what it says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use kube::{Api, Client, runtime::watcher};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{
        watch::{Follower, Index, WatchState, jittered},
        watched_object::WatchedObject,
    },
    metrics::UpstreamMetrics,
    served::{Served, always_served, served},
    state::{KindState, KindStates},
    watched::{cluster_object, id, resource},
};
use crate::{
    constants::{
        API_REQUEST_TIMEOUT, FIRST_SYNC_TIMEOUT, KIND_DISCOVERY_INTERVAL, SNAPSHOT_INTERVAL,
        TARGETS_CHECK_INTERVAL,
    },
    readiness::{Condition, Readiness},
    upstreams::{ClusterObject, IngressController, Kind, KnownTargets, UpstreamIndex},
};

/// Follows all kinds that say which Pods APISIX sends requests to.
#[derive(Clone)]
pub(crate) struct UpstreamWatch {
    shared: Arc<Shared>,
    known: Arc<ArcSwap<KnownTargets>>,
    readiness: Arc<Readiness>,
    metrics: UpstreamMetrics,
}

struct Shared {
    index: Mutex<(UpstreamIndex, KindStates)>,
    changed: Notify,
}

impl UpstreamWatch {
    /// A watch that has not begun. The process is not ready until it has listed everything, or for
    /// [`FIRST_SYNC_TIMEOUT`].
    pub(crate) fn new(
        controller: IngressController,
        readiness: Arc<Readiness>,
        metrics: UpstreamMetrics,
    ) -> Self {
        readiness.set(Condition::Targets, Some("listing Services and routes".to_owned()));
        let index = Mutex::new((UpstreamIndex::new(controller), KindStates::default()));
        let shared = Arc::new(Shared { index, changed: Notify::new() });
        Self { shared, known: Arc::default(), readiness, metrics }
    }

    /// What is known of the targets, from now on.
    pub(crate) fn known(&self) -> Arc<ArcSwap<KnownTargets>> {
        self.known.clone()
    }

    /// Follows all kinds. Never ends.
    pub(crate) async fn follow(self, client: Client) {
        let publisher = AbortOnDropHandle::new(tokio::spawn(self.clone().publish()));
        let mut watches = BTreeMap::<Kind, (&'static str, AbortOnDropHandle<()>)>::new();
        self.watch(&client, &mut watches, &always_served());
        loop {
            let answer = timeout(API_REQUEST_TIMEOUT, served(&client)).await;
            match answer {
                Ok(Ok(served)) => {
                    self.watch(&client, &mut watches, &served);
                    self.shared.with(|_, states| states.is_discovered = true);
                }
                Ok(Err(error)) => tracing::debug!(%error, "cannot ask which kinds are served"),
                Err(elapsed) => tracing::debug!(%elapsed, "cannot ask which kinds are served"),
            }
            sleep(jittered(KIND_DISCOVERY_INTERVAL / 2)).await;
            if publisher.is_finished() || watches.values().any(|(_, task)| task.is_finished()) {
                // None of them ends by itself: the process ends with them.
                return;
            }
        }
    }

    /// Starts and ends watches, so that there is one on each served kind.
    fn watch(
        &self,
        client: &Client,
        watches: &mut BTreeMap<Kind, (&'static str, AbortOnDropHandle<()>)>,
        served: &Served,
    ) {
        watches.retain(|kind, (version, _)| served.get(kind) == Some(version));
        for kind in Kind::all() {
            let version = served.get(&kind).copied();
            self.shared.with(|index, states| {
                index.serve(kind, version.is_some());
                match version {
                    None if *states.get(kind) != KindState::Absent => {
                        index.reset(kind, Vec::new());
                        states.set(kind, KindState::Absent);
                    }
                    // That it is served is all there is to know.
                    Some(_) if !kind.has_rules() => states.set(kind, KindState::Watched),
                    _ => {}
                }
            });
            if let Some(version) = version.filter(|_| kind.has_rules()) {
                watches.entry(kind).or_insert_with(|| {
                    self.shared.with(|_, states| states.set(kind, KindState::Pending));
                    let task = self.clone().follow_kind(client.clone(), kind, version);
                    (version, AbortOnDropHandle::new(tokio::spawn(task)))
                });
            }
        }
    }

    async fn follow_kind(self, client: Client, kind: Kind, version: &'static str) {
        let api = Api::<WatchedObject>::all_with(client, &resource(kind, version));
        let shared = self.shared.clone();
        let on_state = move |state, error: Option<&watcher::Error>| {
            let error = error.map(ToString::to_string).unwrap_or_default();
            shared.with(|_, states| match state {
                WatchState::Working => states.set(kind, KindState::Watched),
                WatchState::Absent => states.set(kind, KindState::Absent),
                WatchState::Failing => states.fail(kind, error),
            });
        };
        let mut follower =
            Follower::new(api, watcher::Config::default(), kind.as_str()).with_state(on_state);
        let mut index = KindIndex { kind, shared: self.shared.clone(), listed: Vec::new() };
        loop {
            follower.follow(&mut index).await;
        }
    }

    /// Publishes what the index says, at most once in [`SNAPSHOT_INTERVAL`].
    async fn publish(self) {
        let started = Instant::now();
        let mut is_ready = false;
        loop {
            let (snapshot, is_complete, problems) = self.shared.with(|index, states| {
                for (kind, is_failing) in states.failing() {
                    self.metrics.fails(kind, is_failing);
                }
                (index.snapshot(), states.is_complete(Instant::now()), states.problems())
            });
            self.metrics.is_complete(is_complete);
            self.known.store(Arc::new(KnownTargets { snapshot, is_complete }));
            self.readiness.note(Condition::Targets, (!is_complete).then(|| problems.join(", ")));
            if !is_ready && (is_complete || started.elapsed() >= FIRST_SYNC_TIMEOUT) {
                is_ready = true;
                self.readiness.set(Condition::Targets, None);
                if !is_complete {
                    let problems = problems.join(", ");
                    tracing::warn!(problems, "ready without knowing all Services and routes");
                }
            }
            sleep(SNAPSHOT_INTERVAL).await;
            // That time goes by may change something too.
            let _ = timeout(TARGETS_CHECK_INTERVAL, self.shared.changed.notified()).await;
        }
    }
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut UpstreamIndex, &mut KindStates) -> T) -> T {
        let mut index: MutexGuard<'_, _> =
            self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, states) = &mut *index;
        change(index, states)
    }
}

/// The part of the index that a watch on a kind keeps.
struct KindIndex {
    kind: Kind,
    shared: Arc<Shared>,
    /// The objects of a list that is not complete, without what nobody reads.
    listed: Vec<ClusterObject>,
}

impl KindIndex {
    fn change(&self, change: impl FnOnce(&mut UpstreamIndex)) {
        self.shared.with(|index, states| {
            change(index);
            if *states.get(self.kind) == KindState::Pending {
                states.set(self.kind, KindState::Watched);
            }
        });
        self.shared.changed.notify_one();
    }
}

impl Index<WatchedObject> for KindIndex {
    fn apply(&mut self, object: WatchedObject) {
        self.change(|index| index.apply(cluster_object(&object, self.kind)));
    }

    fn delete(&mut self, object: WatchedObject) {
        self.change(|index| index.delete(&id(&object, self.kind)));
    }

    fn reset(&mut self, _: Vec<WatchedObject>) {
        let listed = std::mem::take(&mut self.listed);
        self.change(|index| index.reset(self.kind, listed));
    }

    fn begin_list(&mut self) {
        self.listed.clear();
    }

    fn list(&mut self, object: WatchedObject) -> Option<WatchedObject> {
        self.listed.push(cluster_object(&object, self.kind));
        None
    }
}
