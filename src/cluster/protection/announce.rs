//! A finding as an Event on what it is about.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::ObjectReference, events::v1::Event};
use kube::{
    Api, Client, Error,
    api::{ApiResource, ListParams, ObjectMeta, PostParams},
    runtime::events::EventType,
};
use serde::Deserialize;

use super::super::{
    events::{CONTROLLER, object_event, object_reference},
    upstreams::resource,
    watched_object::WatchedObject,
};
use crate::{
    injection::Metadata,
    object_name::is_object_name,
    protection::{Finding, Subject, WorkloadReference},
    upstreams::ObjectId,
};

/// How much of a finding is in the note of an Event: the API server takes 1024 bytes. All names in it
/// are of ASCII.
const MAX_NOTE_CHARS: usize = 1000;

/// Writes an Event. There is one for a workload and cause, whichever replica writes it, as long as the
/// API server keeps it.
///
/// # Errors
/// When the API server does not take it.
pub(super) async fn announce(client: &Client, finding: &Finding) -> Result<(), Error> {
    let finding = of_the_workload(client, finding).await?;
    let Some(regarding) = regarding(client, &finding).await? else { return Ok(()) };
    let mut hasher = DefaultHasher::new();
    (&regarding.uid, finding.cause.as_str()).hash(&mut hasher);
    let note: String = finding.to_string().chars().take(MAX_NOTE_CHARS).collect();
    tracing::warn!(
        namespace = &*finding.namespace,
        kind = regarding.kind,
        name = regarding.name,
        reason = finding.cause.as_str(),
        "{note}"
    );
    let name = Some(format!("{CONTROLLER}.{:016x}", hasher.finish()));
    let event = object_event(
        ObjectMeta { name, ..ObjectMeta::default() },
        regarding,
        EventType::Warning,
        "Watching",
        finding.cause.as_str(),
        note,
    );
    let api = Api::<Event>::namespaced(client.clone(), &finding.namespace);
    match api.create(&PostParams::default(), &event).await {
        Err(Error::Api(status)) if status.is_already_exists() => Ok(()),
        result => result.map(drop),
    }
}

/// What is read of a ReplicaSet.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Owned<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

/// The same finding for what controls the ReplicaSet, which is what people know.
async fn of_the_workload(client: &Client, finding: &Finding) -> Result<Finding, Error> {
    let mut finding = finding.clone();
    let Subject::Workload(workload) = &finding.subject else { return Ok(finding) };
    let is_replica_set = workload.kind == "ReplicaSet" && workload.api_version.starts_with("apps/");
    // Whoever creates a Pod chooses this name.
    if !is_replica_set || !is_object_name(&workload.name) {
        return Ok(finding);
    }
    let api = Api::<WatchedObject>::namespaced_with(
        client.clone(),
        &finding.namespace,
        &ApiResource::erase::<ReplicaSet>(&()),
    );
    let replica_set = match api.get_opt(&workload.name).await {
        Ok(replica_set) => replica_set,
        // Then the ReplicaSet is what can be named.
        Err(Error::Api(status)) if status.is_forbidden() => None,
        Err(error) => return Err(error),
    };
    let Some(replica_set) = replica_set else { return Ok(finding) };
    let Owned { metadata } = serde_json::from_str(replica_set.text()).unwrap_or_default();
    if let Some(owner) = metadata.controller() {
        finding.subject = Subject::Workload(owner.into());
    }
    Ok(finding)
}

/// What an Event is about. `None` if that is gone.
async fn regarding(client: &Client, finding: &Finding) -> Result<Option<ObjectReference>, Error> {
    let object = match &finding.subject {
        Subject::Workload(workload) => workload.clone(),
        Subject::Object(ObjectId { kind, name, .. }) => {
            let resource = resource(*kind, kind.versions()[0]);
            let api = Api::<WatchedObject>::namespaced_with(
                client.clone(),
                &finding.namespace,
                &resource,
            );
            let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
            let Some(found) = api.list(&by_name).await?.items.pop() else { return Ok(None) };
            WorkloadReference {
                api_version: resource.api_version,
                kind: resource.kind,
                name: name.to_string(),
                uid: found.uid().to_owned(),
            }
        }
    };
    Ok(Some(object_reference(object, &finding.namespace)))
}
