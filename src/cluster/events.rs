//! Notices as Events on the objects that control the Pods.

use std::{fmt::Write, time::Duration};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::sync::mpsc;

use crate::{
    admission::{Observer, Review},
    constants::{EVENT_INTERVAL, EVENT_QUEUE},
    injection::{Notice, OwnerReference},
};

/// Puts notices into the queue of Events. It never waits: when the queue is full, it drops the
/// Event, and the log still has the notice.
#[derive(Clone, Debug)]
pub(crate) struct EventSender(mpsc::Sender<QueuedEvent>);

/// The other end, which talks to the API server.
#[derive(Debug)]
pub(crate) struct EventQueue(mpsc::Receiver<QueuedEvent>);

#[derive(Debug)]
struct QueuedEvent {
    regarding: ObjectReference,
    notice: &'static str,
    note: String,
}

/// A queue for Events.
pub(crate) fn event_queue() -> (EventSender, EventQueue) {
    let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
    (EventSender(sender), EventQueue(receiver))
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
        let Ok(place) = self.0.try_reserve() else { return };
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
        while let Some(queued) = self.0.recv().await {
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
        let (sender, mut queue) = event_queue();
        let owner = OwnerReference {
            api_version: Cow::from("apps/v1"),
            kind: Cow::from("ReplicaSet"),
            name: Cow::from("web-1"),
            uid: Cow::from("u"),
            controller: true,
        };
        for _ in 0..EVENT_QUEUE + 5 {
            sender.send("shop", &owner, &Notice::WindowsNeedsSleep);
        }
        let mut queued = 0;
        while let Ok(event) = queue.0.try_recv() {
            assert_eq!(event.regarding.name.as_deref(), Some("web-1"));
            queued += 1;
        }
        assert_eq!(queued, EVENT_QUEUE);
    }
}
