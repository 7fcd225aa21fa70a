//! Follows the objects of a kind.

use std::{fmt::Debug, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{StreamExt, stream::BoxStream};
use kube::{
    Api, Resource,
    runtime::{
        utils::Backoff,
        watcher::{Config, Error, Event, ExponentialBackoff, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};

use crate::constants::{MAX_RETRY_DELAY, MIN_RETRY_DELAY, WATCH_TIMEOUT};

/// A pure index of objects that a [`Follower`] keeps up to date.
pub(crate) trait Index<K> {
    /// An object was created or has changed.
    fn apply(&mut self, object: K);
    /// An object was deleted.
    fn delete(&mut self, object: K);
    /// These are all the objects, but for those that [`Self::list`] has kept.
    fn reset(&mut self, objects: Vec<K>);
    /// A new list begins. One that was not complete is void.
    fn begin_list(&mut self) {}
    /// Takes an object of a list that is not complete, or returns it.
    fn list(&mut self, object: K) -> Option<K> {
        Some(object)
    }
}

/// An index of one object.
impl<K> Index<K> for Option<K> {
    fn apply(&mut self, object: K) {
        *self = Some(object);
    }

    fn delete(&mut self, _: K) {
        *self = None;
    }

    fn reset(&mut self, objects: Vec<K>) {
        *self = objects.into_iter().next();
    }
}

/// Lists and watches the objects of a kind, and starts again after every failure.
///
/// An index keeps what it has seen during a failure: that is still the best guess. It becomes empty
/// when the API server does not know the kind (404), for example before a CRD is installed.
pub(crate) struct Follower<K> {
    api: Api<K>,
    config: Config,
    events: BoxStream<'static, Result<Event<K>, Error>>,
    /// What is watched, for the log.
    name: String,
    /// The objects of a list that is not complete.
    listed: Vec<K>,
    state: WatchState,
    is_synced: bool,
    retry_delays: ExponentialBackoff,
    /// Not before this is a failed request tried again.
    retry_at: Option<Instant>,
    on_state: Option<OnState>,
}

/// Whether the watch works. A change of it is logged once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchState {
    /// It does.
    Working,
    /// The API server does not know the kind.
    Absent,
    /// It is tried again and again.
    Failing,
}

/// Learns of each change of a watch's state, with the error if there is one.
type OnState = Box<dyn Fn(WatchState, Option<&Error>) + Send>;

impl<K> Follower<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    /// Follows the objects of `api` that `config` selects. The log calls them `name`.
    pub(crate) fn new(api: Api<K>, config: Config, name: impl Into<String>) -> Self {
        let config = config.timeout(WATCH_TIMEOUT);
        Self {
            events: watcher(api.clone(), config.clone()).boxed(),
            api,
            config,
            name: name.into(),
            listed: Vec::new(),
            state: WatchState::Working,
            is_synced: false,
            retry_delays: retry_delays(),
            retry_at: None,
            on_state: None,
        }
    }

    /// Passes each change of the state to `on_state`.
    pub(crate) fn with_state(
        self,
        on_state: impl Fn(WatchState, Option<&Error>) + Send + 'static,
    ) -> Self {
        Self { on_state: Some(Box::new(on_state)), ..self }
    }

    /// Follows the one object of `api` that is called `object`. The right to list and watch it by
    /// that name (`resourceNames`) is enough.
    pub(crate) fn single(api: Api<K>, object: &str, name: impl Into<String>) -> Self {
        Self::new(api, Config::default().fields(&format!("metadata.name={object}")), name)
    }

    /// Whether the index has been complete once.
    pub(crate) const fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Waits for the next change, and applies it to `index`. Cancelling it loses no change.
    pub(crate) async fn follow(&mut self, index: &mut impl Index<K>) {
        loop {
            if let Some(at) = self.retry_at {
                sleep_until(at).await;
                self.retry_at = None;
            }
            // The stream of a watcher has no end.
            let Some(event) = self.events.next().await else { std::future::pending().await };
            // kube's own back-off starts again with each attempt to list, even if it fails.
            if event.is_err() {
                self.restart();
            }
            if self.take(event, index) {
                return;
            }
        }
    }

    /// Starts with a new list. kube's watcher goes on with the resourceVersion that it has, even
    /// when that has expired or the kind was deleted in the meantime.
    fn restart(&mut self) {
        self.events = watcher(self.api.clone(), self.config.clone()).boxed();
        self.retry_at = self.retry_delays.next().map(|delay| Instant::now() + delay);
    }

    /// Whether `event` changed the index.
    fn take(&mut self, event: Result<Event<K>, Error>, index: &mut impl Index<K>) -> bool {
        let event = match event {
            Ok(event) => event,
            Err(error) if is_not_found(&error) => {
                let is_new = self.enter(WatchState::Absent, Some(&error));
                if is_new {
                    self.is_synced = true;
                    index.reset(Vec::new());
                }
                return is_new;
            }
            Err(error) => {
                self.enter(WatchState::Failing, Some(&error));
                return false;
            }
        };
        match event {
            Event::Init => {
                self.listed.clear();
                index.begin_list();
                return false;
            }
            Event::InitApply(object) => {
                self.listed.extend(index.list(object));
                return false;
            }
            Event::InitDone => index.reset(std::mem::take(&mut self.listed)),
            Event::Apply(object) => index.apply(object),
            Event::Delete(object) => index.delete(object),
        }
        self.is_synced = true;
        self.retry_delays.reset();
        self.enter(WatchState::Working, None);
        true
    }

    /// Whether the state is a new one, which is logged.
    fn enter(&mut self, state: WatchState, error: Option<&Error>) -> bool {
        let source = error;
        let (name, error) = (self.name.as_str(), error.map(tracing::field::display));
        if self.state == state {
            tracing::debug!(watch = name, error, ?state, "no change of the watch");
            return false;
        }
        self.state = state;
        if let Some(on_state) = &self.on_state {
            on_state(state, source);
        }
        match state {
            WatchState::Working => tracing::info!(watch = name, "watching again"),
            WatchState::Absent => {
                tracing::info!(
                    watch = name,
                    "the API server does not know this kind; looking again"
                );
            }
            WatchState::Failing => {
                tracing::warn!(watch = name, error, "cannot watch; trying again");
            }
        }
        true
    }
}

fn is_not_found(error: &Error) -> bool {
    match error {
        Error::InitialListFailed(error)
        | Error::WatchStartFailed(error)
        | Error::WatchFailed(error) => {
            matches!(error, kube::Error::Api(status) if status.code == 404)
        }
        Error::WatchError(status) => status.code == 404,
        Error::NoResourceVersion => false,
    }
}

/// The delays between attempts: from [`MIN_RETRY_DELAY`] to [`MAX_RETRY_DELAY`], with jitter, so
/// that replicas do not return to a restarted API server at the same moment.
pub(crate) fn retry_delays() -> ExponentialBackoff {
    // The jitter adds up to as much again.
    with_jitter(MIN_RETRY_DELAY / 2, MAX_RETRY_DELAY / 2).into()
}

/// A time from `delay` to twice as much.
pub(crate) fn jittered(delay: Duration) -> Duration {
    with_jitter(delay, delay).build().next().unwrap_or(delay)
}

fn with_jitter(shortest: Duration, longest: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .with_factor(2.0)
        .without_max_times()
        .with_jitter()
}

#[cfg(test)]
mod tests {
    //! The API server in here is a mock: a real one does not fail on demand. The cluster tests
    //! restart the real one.
    use std::{
        collections::VecDeque,
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use hyper::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Client, ResourceExt, client::Body};
    use serde_json::{Value, json};
    use tokio::time::timeout;

    use super::*;

    /// The index as a list of what happened to it.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Calls(Vec<String>);

    impl Index<ConfigMap> for Calls {
        fn apply(&mut self, object: ConfigMap) {
            self.0.push(format!("apply {}", object.name_any()));
        }

        fn delete(&mut self, object: ConfigMap) {
            self.0.push(format!("delete {}", object.name_any()));
        }

        fn reset(&mut self, objects: Vec<ConfigMap>) {
            let names: Vec<_> = objects.iter().map(ResourceExt::name_any).collect();
            self.0.push(format!("reset {}", names.join(" ")));
        }
    }

    fn object(name: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "resourceVersion": "1"},
        })
    }

    fn list(names: &[&str], next: &str) -> (u16, String) {
        let items: Vec<_> = names.iter().map(|name| object(name)).collect();
        let metadata = json!({"resourceVersion": "1", "continue": next});
        let list = json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": metadata, "items": items});
        (200, list.to_string())
    }

    fn watch(events: &[(&str, Value)]) -> (u16, String) {
        let line = |(kind, object): &(&str, Value)| {
            format!("{}\n", json!({"type": kind, "object": object}))
        };
        (200, events.iter().map(line).collect())
    }

    fn failure(code: u16) -> (u16, String) {
        let status = json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code,
            "message": "as the test wants it", "reason": "Test",
        });
        (code, status.to_string())
    }

    /// A follower of an API server that gives these answers, and then fails.
    fn follower(answers: impl IntoIterator<Item = (u16, String)>) -> Follower<ConfigMap> {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let service = tower::service_fn(move |_: Request<Body>| {
            let next = answers.lock().unwrap().pop_front();
            let (status, body) = next.unwrap_or_else(|| failure(500));
            let body = Body::from(body.into_bytes());
            let response = Response::builder().status(status).body(body).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        let api = Api::namespaced(Client::new(service, "default"), "default");
        Follower::new(api, Config::default(), "ConfigMaps of a test")
    }

    /// What happens to an index until nothing more happens.
    async fn calls(mut follower: Follower<ConfigMap>) -> (Vec<String>, Follower<ConfigMap>) {
        let mut calls = Calls::default();
        let limit = Duration::from_secs(60);
        while timeout(limit, follower.follow(&mut calls)).await.is_ok() {}
        (calls.0, follower)
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_of_several_pages_is_one_reset() {
        let answers = [list(&["a"], "next"), list(&["b"], ""), watch(&[("ADDED", object("c"))])];
        let (calls, follower) = calls(follower(answers)).await;
        assert_eq!(calls, ["reset a b", "apply c"]);
        assert!(follower.is_synced());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_not_synced_before_the_whole_list_is_there() {
        let (calls, follower) = calls(follower([list(&["a"], "next"), failure(500)])).await;
        assert_eq!(calls, Vec::<String>::new());
        assert!(!follower.is_synced(), "the second page is missing");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_applied_in_their_order() {
        let events = [("MODIFIED", object("a")), ("DELETED", object("a")), ("ADDED", object("b"))];
        let (calls, _) = calls(follower([list(&["a"], ""), watch(&events)])).await;
        assert_eq!(calls, ["reset a", "apply a", "delete a", "apply b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_too_old_lists_again() {
        let gone = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired"});
        let expired = [watch(&[("ERROR", gone)]), failure(410)];
        for expired in expired {
            let (calls, _) = calls(follower([list(&["a"], ""), expired, list(&["b"], "")])).await;
            assert_eq!(calls, ["reset a", "reset b"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_is_absent_is_empty_once_and_looked_for_again() {
        let answers = [failure(404), failure(404), failure(404), list(&["a"], "")];
        let (calls, follower) = calls(follower(answers)).await;
        assert_eq!(calls, ["reset ", "reset a"]);
        assert!(follower.is_synced());
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_disappears_is_listed_anew_when_it_is_back() {
        let answers = [list(&["a"], ""), failure(404), list(&["b"], "")];
        let (calls, _) = calls(follower(answers)).await;
        assert_eq!(calls, ["reset a", "reset ", "reset b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_keeps_what_was_seen() {
        let added = watch(&[("ADDED", object("b"))]);
        let answers = [list(&["a"], ""), failure(403), failure(500), list(&["a"], ""), added];
        let (calls, _) = calls(follower(answers)).await;
        assert_eq!(calls, ["reset a", "reset a", "apply b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_logged_once_and_so_is_its_end() {
        let mut follower = follower([]);
        let error = || Error::NoResourceVersion;
        let mut index = Calls::default();
        assert!(!follower.take(Err(error()), &mut index), "a failure changes nothing");
        assert!(!follower.enter(WatchState::Failing, Some(&error())), "the second is not news");
        assert!(follower.take(Ok(Event::InitDone), &mut index), "an empty list is a list");
        assert_eq!(follower.state, WatchState::Working);
        assert!(follower.enter(WatchState::Failing, Some(&error())), "a new failure is news");
    }

    #[tokio::test(start_paused = true)]
    async fn it_tries_again_within_5_seconds_however_long_it_fails() {
        let failures = std::iter::repeat_n(failure(503), 50).chain([list(&["a"], "")]);
        let mut follower = follower(failures);
        let start = Instant::now();
        follower.follow(&mut Calls::default()).await;
        let elapsed = start.elapsed();
        let limit = 50 * MAX_RETRY_DELAY;
        assert!(elapsed <= limit, "50 failures took {elapsed:?}");
        assert!(elapsed >= limit / 3, "the delays grow: 50 failures took only {elapsed:?}");
    }

    #[test]
    fn no_delay_is_above_the_maximum() {
        for (attempt, delay) in retry_delays().take(1000).enumerate() {
            assert!(delay <= MAX_RETRY_DELAY, "{delay:?} after attempt {attempt}");
        }
    }
}
