//! A change of the delay as an Event on the ConfigMap.

use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client, Error,
    api::{ObjectMeta, PostParams},
    runtime::events::EventType,
};

use super::super::{
    events::{CONTROLLER, object_event, object_reference},
    watched_object::WatchedObject,
};
use crate::{propagation::DelayChange, protection::WorkloadReference};

/// Writes an Event on `config_map` that says how the delay has changed.
///
/// # Errors
/// When the API server does not take it.
pub(super) async fn announce_delay(
    client: &Client,
    config_map: &WatchedObject,
    change: &DelayChange,
) -> Result<(), Error> {
    let object = WorkloadReference {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        name: config_map.name().to_owned(),
        uid: config_map.uid().to_owned(),
    };
    let generate_name = Some(format!("{CONTROLLER}-"));
    let event = object_event(
        ObjectMeta { generate_name, ..ObjectMeta::default() },
        object_reference(object, config_map.namespace()),
        EventType::Normal,
        "Measuring",
        &format!("delay_{}", change.cause.as_str()),
        change.to_string(),
    );
    let api = Api::<Event>::namespaced(client.clone(), config_map.namespace());
    api.create(&PostParams::default(), &event).await.map(drop)
}
