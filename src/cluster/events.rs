//! Notices as Events on the objects that control the Pods.

use std::{
    collections::HashMap,
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Client,
    api::ObjectMeta,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use strum::{EnumCount, IntoStaticStr, VariantArray};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::opted_in::OptedIn;
use crate::{
    admission::{Observer, Review},
    constants::{API_REQUEST_TIMEOUT, EVENT_INTERVAL, EVENT_QUEUE, EVENTS_OF_A_NAMESPACE},
    injection::{Notice, OwnerReference},
    protection::WorkloadReference,
    upstreams::Target,
};

/// What Events name as their source.
pub(super) const CONTROLLER: &str = "apisix-prestop";

/// How many different notes are counted at the same time.
const MAX_RECORDERS: usize = 64;

/// Puts notices into the queue of Events. It never waits: it drops an Event and counts it, and the
/// log still has the notice.
#[derive(Debug)]
pub(crate) struct EventSender {
    queue: mpsc::Sender<QueuedEvent>,
    shares: Arc<Shares>,
    /// Where reviews may come from anybody, only these namespaces have Events.
    opted_in: Option<OptedIn>,
    dropped: [Counter; Dropped::COUNT],
}

/// Why an Event is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
enum Dropped {
    /// Its namespace has not opted in: the review did not come from an API server.
    NotOptedIn,
    /// Too many Events of its namespace wait.
    NamespaceShare,
    /// Too many Events wait.
    QueueFull,
    /// The API server did not take it.
    NotPublished,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    cause: &'static str,
}

/// The other end, which talks to the API server.
#[derive(Debug)]
pub(crate) struct EventQueue {
    queue: mpsc::Receiver<QueuedEvent>,
    shares: Arc<Shares>,
    not_published: Counter,
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

/// A queue for Events, whose metric goes into `registry`. With `opted_in`, only these namespaces
/// have Events.
pub(crate) fn event_queue(
    registry: &mut Registry,
    opted_in: Option<OptedIn>,
) -> (EventSender, EventQueue) {
    let (sender, queue) = mpsc::channel(EVENT_QUEUE);
    let shares = Arc::new(Shares([const { AtomicUsize::new(0) }; 256]));
    let counters = Family::<DroppedLabels, Counter>::default();
    let dropped = std::array::from_fn(|index| {
        let cause = Dropped::VARIANTS[index].into();
        counters.get_or_create_owned(&DroppedLabels { cause })
    });
    registry.register("events_dropped", "Events that were not published", counters);
    let not_published = dropped[Dropped::NotPublished as usize].clone();
    let sender = EventSender { queue: sender, shares: shares.clone(), opted_in, dropped };
    (sender, EventQueue { queue, shares, not_published })
}

/// A warning about a Pod that a controller creates reaches no person, so it becomes an Event on the
/// controller.
impl Observer for EventSender {
    fn reviewed(&self, review: &Review<'_, '_>) {
        let Review { request, plan, target, .. } = review;
        let owner = request.object.as_ref().and_then(|pod| pod.controller());
        let Some(owner) = owner.filter(|_| request.dry_run != Some(true)) else { return };
        for notice in &plan.notices {
            self.send(&request.namespace, owner, notice, *target);
        }
    }
}

impl EventSender {
    fn send(
        &self,
        namespace: &str,
        owner: &OwnerReference<'_>,
        notice: &Notice,
        target: Option<&Target>,
    ) {
        if let Err(cause) = self.try_send(namespace, owner, notice, target) {
            self.dropped[cause as usize].inc();
        }
    }

    fn try_send(
        &self,
        namespace: &str,
        owner: &OwnerReference<'_>,
        notice: &Notice,
        target: Option<&Target>,
    ) -> Result<(), Dropped> {
        if self.opted_in.as_ref().is_some_and(|opted_in| !opted_in.contains(namespace)) {
            return Err(Dropped::NotOptedIn);
        }
        let share = self.shares.of(namespace);
        if share.load(Relaxed) >= EVENTS_OF_A_NAMESPACE {
            return Err(Dropped::NamespaceShare);
        }
        // The place first: without one there is nothing to allocate for.
        let place = self.queue.try_reserve().map_err(|_| Dropped::QueueFull)?;
        share.fetch_add(1, Relaxed);
        place.send(QueuedEvent {
            regarding: object_reference(owner.into(), namespace),
            notice: notice.name().as_str(),
            note: match target {
                Some(target) => format!("{notice} (target: {target})"),
                None => notice.to_string(),
            },
        });
        Ok(())
    }
}

impl EventQueue {
    /// Publishes a few Events per second. Equal Events within minutes become one Event with a count.
    pub(crate) async fn publish(mut self, client: Client) {
        let reporter = Reporter { controller: CONTROLLER.to_owned(), instance: hostname() };
        // One for each note: a recorder does not tell two notes of the same reason apart.
        let mut recorders = HashMap::<String, Recorder>::new();
        while let Some(queued) = self.queue.recv().await {
            let namespace = queued.regarding.namespace.as_deref().unwrap_or_default();
            self.shares.of(namespace).fetch_sub(1, Relaxed);
            if recorders.len() >= MAX_RECORDERS {
                recorders.clear();
            }
            let recorder = recorders
                .entry(queued.note.clone())
                .or_insert_with(|| Recorder::new(client.clone(), reporter.clone()));
            let event = Event {
                type_: EventType::Warning,
                reason: pascal_case(queued.notice),
                note: Some(queued.note),
                action: "Injecting".to_owned(),
                secondary: None,
            };
            let published = recorder.publish(&event, &queued.regarding);
            let problem = match timeout(API_REQUEST_TIMEOUT, published).await {
                Ok(published) => published.err().map(|error| error.to_string()),
                Err(elapsed) => Some(elapsed.to_string()),
            };
            if let Some(error) = problem {
                self.not_published.inc();
                tracing::debug!(error, "cannot publish an Event");
            }
            sleep(EVENT_INTERVAL).await;
        }
    }
}

/// What an Event is about: an object in `namespace`.
pub(super) fn object_reference(object: WorkloadReference, namespace: &str) -> ObjectReference {
    let WorkloadReference { api_version, kind, name, uid } = object;
    ObjectReference {
        api_version: Some(api_version),
        kind: Some(kind),
        name: Some(name),
        namespace: Some(namespace.to_owned()),
        uid: Some(uid),
        ..ObjectReference::default()
    }
}

/// An Event of ours about an object. `what` names it, in snake case; Kubernetes writes reasons another
/// way.
pub(super) fn object_event(
    metadata: ObjectMeta,
    regarding: ObjectReference,
    type_: EventType,
    action: &str,
    what: &str,
    note: String,
) -> v1::Event {
    let namespace = regarding.namespace.clone();
    let type_ = match type_ {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    v1::Event {
        metadata: ObjectMeta { namespace, ..metadata },
        event_time: Some(MicroTime(Timestamp::now())),
        action: Some(action.to_owned()),
        reason: Some(pascal_case(what)),
        type_: Some(type_.to_owned()),
        note: Some(note),
        regarding: Some(regarding),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(hostname().unwrap_or_else(|| CONTROLLER.to_owned())),
        ..v1::Event::default()
    }
}

/// The name of our Pod.
pub(super) fn hostname() -> Option<String> {
    std::env::var("HOSTNAME").ok()
}

/// `grace_zero` as `GraceZero`, which is how Kubernetes writes reasons.
pub(super) fn pascal_case(name: &str) -> String {
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

    fn owner() -> OwnerReference<'static> {
        OwnerReference {
            api_version: Cow::from("apps/v1"),
            kind: Cow::from("ReplicaSet"),
            name: Cow::from("web-1"),
            uid: Cow::from("u"),
            controller: true,
        }
    }

    #[test]
    fn a_reason_is_written_as_kubernetes_does() {
        assert_eq!(pascal_case("hook_ends_listener"), "HookEndsListener");
    }

    #[test]
    fn a_full_queue_drops_and_does_not_wait() {
        let (sender, mut queue) = event_queue(&mut Registry::default(), None);
        let send = |namespace: &str, count: usize| {
            for _ in 0..count {
                sender.send(namespace, &owner(), &Notice::WindowsNeedsSleep, None);
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
        let dropped = sender.dropped[Dropped::NamespaceShare as usize].get() as usize;
        assert_eq!(dropped, EVENT_QUEUE + 5 - EVENTS_OF_A_NAMESPACE);
    }

    #[test]
    fn a_forged_review_leads_to_no_event_in_a_namespace_that_has_not_opted_in() {
        let opted_in = OptedIn::of(["shop"]);
        let (sender, mut queue) = event_queue(&mut Registry::default(), Some(opted_in));
        for namespace in ["kube-system", "shop", ""] {
            sender.send(namespace, &owner(), &Notice::WindowsNeedsSleep, None);
        }
        let queued = queue.queue.try_recv().unwrap();
        assert_eq!(queued.regarding.namespace.as_deref(), Some("shop"));
        assert!(queue.queue.try_recv().is_err(), "no other namespace has opted in");
        assert_eq!(sender.dropped[Dropped::NotOptedIn as usize].get(), 2);
    }
}
