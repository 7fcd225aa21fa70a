//! A change of the delay as an Event on the ConfigMap.

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client, Error,
    api::{ObjectMeta, PostParams},
};

use super::super::{
    events::{CONTROLLER, hostname, pascal_case},
    watched_object::WatchedObject,
};
use crate::propagation::DelayChange;

/// Writes an Event on `config_map` that says how the delay has changed.
///
/// # Errors
/// When the API server does not take it.
pub(super) async fn announce_delay(
    client: &Client,
    config_map: &WatchedObject,
    change: &DelayChange,
) -> Result<(), Error> {
    let event = Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{CONTROLLER}-")),
            namespace: Some(config_map.namespace().to_owned()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::now())),
        action: Some("Measuring".to_owned()),
        reason: Some(pascal_case(&format!("delay_{}", change.cause.as_str()))),
        type_: Some("Normal".to_owned()),
        note: Some(change.to_string()),
        regarding: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("ConfigMap".to_owned()),
            name: Some(config_map.name().to_owned()),
            namespace: Some(config_map.namespace().to_owned()),
            uid: Some(config_map.uid().to_owned()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(hostname().unwrap_or_else(|| CONTROLLER.to_owned())),
        ..Event::default()
    };
    let api = Api::<Event>::namespaced(client.clone(), config_map.namespace());
    api.create(&PostParams::default(), &event).await.map(drop)
}
