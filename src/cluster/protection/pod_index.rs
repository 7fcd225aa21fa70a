//! The part of the running Pods that a watch keeps.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    super::{watch::Index, watched_object::WatchedObject},
    scope::Scope,
    watched_pod::note,
};
use crate::protection::{AuditSettings, RunningPods};

/// The running Pods of all watches.
pub(super) type SharedPods = Arc<Mutex<RunningPods>>;

pub(super) fn with<T>(pods: &SharedPods, change: impl FnOnce(&mut RunningPods) -> T) -> T {
    change(&mut pods.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The part of the running Pods that a watch keeps.
pub(super) struct PodIndex {
    scope: Scope,
    pods: SharedPods,
    /// The Pods of a list that is not complete: narrow, where kube would keep them whole.
    listed: RunningPods,
    settings: AuditSettings,
}

impl PodIndex {
    pub(super) fn new(scope: Scope, pods: SharedPods, settings: AuditSettings) -> Self {
        Self { scope, pods, listed: RunningPods::default(), settings }
    }
}

impl Index<WatchedObject> for PodIndex {
    fn begin_list(&mut self) {
        self.listed = RunningPods::default();
    }

    fn list(&mut self, pod: WatchedObject) -> Option<WatchedObject> {
        note(&mut self.listed, &pod, &self.settings);
        None
    }

    fn apply(&mut self, pod: WatchedObject) {
        with(&self.pods, |pods| note(pods, &pod, &self.settings));
    }

    fn delete(&mut self, pod: WatchedObject) {
        with(&self.pods, |pods| pods.delete(pod.namespace(), pod.name()));
    }

    fn reset(&mut self, _: Vec<WatchedObject>) {
        let listed = std::mem::take(&mut self.listed);
        with(&self.pods, |pods| pods.replace(self.scope.namespace(), listed));
    }
}
