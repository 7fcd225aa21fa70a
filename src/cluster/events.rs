//! Notices as Events on the objects that control the Pods.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use tokio::sync::mpsc;

use crate::{
    admission::{Observer, Review},
    constants::{EVENT_INTERVAL, EVENT_QUEUE, EVENTS_OF_A_NAMESPACE},
    injection::{Notice, OwnerReference},
};

/// Puts notices into the queue of Events. It never waits: when the queue is full, or a namespace has
/// its share of it, it drops the Event and counts it, and the log still has the notice.
#[derive(Clone, Debug)]
pub(crate) struct EventSender {
    queue: mpsc::Sender<QueuedEvent>,
    shares: Arc<Shares>,
    dropped: Counter,
}

/// The other end, which talks to the API server.
#[derive(Debug)]
pub(crate) struct EventQueue {
    queue: mpsc::Receiver<QueuedEvent>,
    shares: Arc<Shares>,
}

/// How many Events of each namespace wait. Namespaces share a place by chance, not by choice.
#[derive(Debug)]
struct Shares([AtomicUsize; 256]);

impl Shares {
    fn of(&self, namespace: &str) -> &AtomicUsize {
        let mut hasher = DefaultHasher::new();
        namespace.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % 256).unwrap_or_default();
        &self.0[place]
    }
}

#[derive(Debug)]
struct QueuedEvent {
    regarding: ObjectReference,
    notice: &'static str,
    note: String,
}

/// A queue for Events, whose metric goes into `registry`.
pub(crate) fn event_queue(registry: &mut Registry) -> (EventSender, EventQueue) {
    let (sender, queue) = mpsc::channel(EVENT_QUEUE);
    let shares = Arc::new(Shares([const { AtomicUsize::new(0) }; 256]));
    let dropped = Counter::default();
    registry.register("events_dropped", "Events that were not published", dropped.clone());
    (EventSender { queue: sender, shares: shares.clone(), dropped }, EventQueue { queue, shares })
}

/// A warning about a Pod that a controller creates reaches no person, so it becomes an Event on the
/// controller.
impl Observer for EventSender {
    fn reviewed(&self, review: &Review<'_, '_>) {
        let Review { request, plan, .. } = review;
        let owner = request.object.as_ref().and_then(|pod| pod.controller());
        let Some(owner) = owner.filter(|_| request.dry_run != Some(true)) else { return };
        for notice in &plan.notices {
            self.send(&request.namespace, owner, notice);
        }
    }
}

impl EventSender {
    fn send(&self, namespace: &str, owner: &OwnerReference<'_>, notice: &Notice) {
        // The place first: without one there is nothing to allocate for.
        let share = self.shares.of(namespace);
        let place = self.queue.try_reserve().ok();
        let Some(place) = place.filter(|_| share.load(Relaxed) < EVENTS_OF_A_NAMESPACE) else {
            self.dropped.inc();
            return;
        };
        share.fetch_add(1, Relaxed);
        place.send(QueuedEvent {
            regarding: ObjectReference {
                api_version: Some(owner.api_version.clone().into_owned()),
                kind: Some(owner.kind.clone().into_owned()),
                name: Some(owner.name.clone().into_owned()),
                namespace: Some(namespace.to_owned()),
                uid: Some(owner.uid.clone().into_owned()),
                ..ObjectReference::default()
            },
            notice: notice.name().as_str(),
            note: notice.to_string(),
        });
    }
}

impl EventQueue {
    /// Publishes a few Events per second. Equal Events within minutes become one Event with a count.
    pub(crate) async fn publish(mut self, client: Client) {
        let reporter = Reporter { controller: "apisix-prestop".to_owned(), instance: hostname() };
        let recorder = Recorder::new(client, reporter);
        while let Some(queued) = self.queue.recv().await {
            let namespace = queued.regarding.namespace.as_deref().unwrap_or_default();
            self.shares.of(namespace).fetch_sub(1, Relaxed);
            let event = Event {
                type_: EventType::Warning,
                reason: pascal_case(queued.notice),
                note: Some(queued.note),
                action: "Injecting".to_owned(),
                secondary: None,
            };
            let published = recorder.publish(&event, &queued.regarding);
            match tokio::time::timeout(Duration::from_secs(5), published).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "cannot publish an Event"),
                Err(_) => tracing::debug!("an Event was not published in time"),
            }
            tokio::time::sleep(EVENT_INTERVAL).await;
        }
    }
}

/// The name of our Pod.
fn hostname() -> Option<String> {
    std::env::var("HOSTNAME").ok()
}

/// `grace_zero` as `GraceZero`, which is how Kubernetes writes reasons.
fn pascal_case(name: &str) -> String {
    name.split('_').fold(String::new(), |mut pascal, word| {
        let (first, rest) = word.split_at(word.len().min(1));
        // Writing to a string does not fail.
        let _ = write!(pascal, "{}{rest}", first.to_ascii_uppercase());
        pascal
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn a_reason_is_written_as_kubernetes_does() {
        assert_eq!(pascal_case("hook_ends_listener"), "HookEndsListener");
    }

    #[test]
    fn a_full_queue_drops_and_does_not_wait() {
        let (sender, mut queue) = event_queue(&mut Registry::default());
        let owner = OwnerReference {
            api_version: Cow::from("apps/v1"),
            kind: Cow::from("ReplicaSet"),
            name: Cow::from("web-1"),
            uid: Cow::from("u"),
            controller: true,
        };
        let send = |namespace: &str, count: usize| {
            for _ in 0..count {
                sender.send(namespace, &owner, &Notice::WindowsNeedsSleep);
            }
        };
        // One namespace has many faults, and another one still has room for its own.
        send("noisy", EVENT_QUEUE + 5);
        send("quiet", 10);
        let mut queued = Vec::new();
        while let Ok(event) = queue.queue.try_recv() {
            assert_eq!(event.regarding.name.as_deref(), Some("web-1"));
            queued.extend(event.regarding.namespace);
        }
        let of = |name: &str| queued.iter().filter(|namespace| *namespace == name).count();
        assert_eq!((of("noisy"), of("quiet")), (EVENTS_OF_A_NAMESPACE, 10));
        assert_eq!(sender.dropped.get() as usize, EVENT_QUEUE + 5 - EVENTS_OF_A_NAMESPACE);
    }
}
