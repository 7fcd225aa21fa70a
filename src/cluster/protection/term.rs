//! What the replica does that holds the Lease.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use kube::{Client, runtime::watcher};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{
        opted_in::OptIns,
        watch::{Follower, WatchState},
    },
    announce::announce,
    pod_index::{PodIndex, SharedPods, with},
    scope::Scope,
    term_context::TermContext,
};
use crate::{
    constants::{
        ANNOUNCEMENT_INTERVAL, API_REQUEST_TIMEOUT, COMPARISON_INTERVAL, FINDINGS_INTERVAL,
        PODS_OF_A_PAGE,
    },
    protection::{Announcements, AuditSettings, Finding},
    upstreams::Snapshot,
};

/// What the replica knows that holds the Lease.
pub(in crate::cluster) struct Term<'c> {
    context: &'c TermContext,
    client: Client,
    started: Instant,
    pods: SharedPods,
    followers: BTreeMap<Scope, AbortOnDropHandle<()>>,
    failing: Arc<Mutex<BTreeSet<Scope>>>,
    snapshot: Snapshot,
    opted_in: Arc<OptIns>,
    /// What is shown, of each namespace with findings.
    findings: HashMap<Arc<str>, Vec<Finding>>,
    announcements: Announcements,
    announced_at: Option<Instant>,
    compared: Compared,
}

/// What Pods were compared with when they were noted.
struct Compared {
    with: AuditSettings,
    since: Instant,
}

impl<'c> Term<'c> {
    pub(in crate::cluster) fn new(context: &'c TermContext, client: Client) -> Self {
        Self {
            context,
            client,
            started: Instant::now(),
            pods: SharedPods::default(),
            followers: BTreeMap::new(),
            failing: Arc::default(),
            snapshot: Snapshot::default(),
            opted_in: Arc::default(),
            findings: HashMap::new(),
            announcements: Announcements::default(),
            announced_at: None,
            compared: Compared { with: context.settings(), since: Instant::now() },
        }
    }

    /// Watches Pods and shows what it finds. Never ends by itself.
    pub(in crate::cluster) async fn serve(mut self) {
        loop {
            self.compare_anew();
            self.follow();
            self.find();
            self.announce().await;
            sleep(FINDINGS_INTERVAL).await;
        }
    }

    /// Lists all Pods again when the delay has changed, or what is measured: of those that waited long
    /// enough before, nothing is kept.
    fn compare_anew(&mut self) {
        let settings = self.context.settings();
        if settings != self.compared.with && self.compared.since.elapsed() >= COMPARISON_INTERVAL {
            self.compared = Compared { with: settings, since: Instant::now() };
            self.followers.clear();
        }
    }

    /// Starts and ends watches, so that they cover the namespaces that have opted in.
    fn follow(&mut self) {
        let now: BTreeSet<_> = self.followers.keys().cloned().collect();
        let scopes = Scope::of(self.context.opted_in.now().keys(), &now);
        for scope in now.difference(&scopes) {
            self.followers.remove(scope);
            with(&self.pods, |pods| pods.replace(scope.namespace(), Default::default()));
        }
        for scope in scopes.difference(&now) {
            let follower = tokio::spawn(self.follow_scope(scope.clone()));
            self.followers.insert(scope.clone(), AbortOnDropHandle::new(follower));
        }
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.retain(|scope| scopes.contains(scope));
        self.context.metrics.fail(failing.len());
    }

    fn follow_scope(&self, scope: Scope) -> impl Future<Output = ()> + Send + use<> {
        let config = watcher::Config::default().page_size(PODS_OF_A_PAGE);
        let failing = self.failing.clone();
        let failing_scope = scope.clone();
        let on_state = move |state, _: Option<&watcher::Error>| {
            let mut failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
            match state {
                WatchState::Working => failing.remove(&failing_scope),
                WatchState::Absent | WatchState::Failing => failing.insert(failing_scope.clone()),
            };
        };
        let api = scope.api(self.client.clone());
        let mut follower = Follower::new(api, config, scope.to_string()).with_state(on_state);
        let mut index = PodIndex::new(scope, self.pods.clone(), self.compared.with.clone());
        async move {
            loop {
                follower.follow(&mut index).await;
            }
        }
    }

    /// Looks again at the namespaces in which something may have changed.
    fn find(&mut self) {
        let snapshot = self.context.known.load().snapshot.clone();
        let opted_in = self.context.opted_in.now();
        let settings = self.context.settings();
        let mut changed = with(&self.pods, |pods| pods.take_changed());
        changed.extend(snapshot.changed_since(&self.snapshot));
        for (opted_in, other) in [(&opted_in, &self.opted_in), (&self.opted_in, &opted_in)] {
            let differs = opted_in.iter().filter(|(name, opt_in)| other.get(*name) != Some(opt_in));
            changed.extend(differs.map(|(name, _)| name.as_str().into()));
        }
        for namespace in changed {
            let findings = opted_in.get(&*namespace).map_or_else(Vec::new, |opt_in| {
                with(&self.pods, |pods| pods.findings(&namespace, opt_in, &snapshot, &settings))
            });
            let before = self.findings.get(&namespace).map(Vec::as_slice).unwrap_or_default();
            self.context.metrics.show(&namespace, before, &findings);
            if findings.is_empty() {
                self.findings.remove(&namespace);
            } else {
                self.findings.insert(namespace, findings);
            }
        }
        (self.snapshot, self.opted_in) = (snapshot, opted_in);
    }

    /// Announces one finding, if there is one and its time has come.
    async fn announce(&mut self) {
        if !self.context.announces {
            return;
        }
        let now = self.started.elapsed();
        let findings = self.findings.values().map(Vec::as_slice);
        let Some(finding) = self.announcements.next(findings, now) else { return };
        if self.announced_at.is_some_and(|at| at.elapsed() < ANNOUNCEMENT_INTERVAL) {
            return;
        }
        self.announced_at = Some(Instant::now());
        let problem = match timeout(API_REQUEST_TIMEOUT, announce(&self.client, finding)).await {
            Ok(Ok(())) => return self.announcements.announced(finding),
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::debug!(error = problem, "cannot publish an Event");
        self.announcements.failed(finding, now);
    }
}
