//! The ConfigMap that has the delay of `delay: auto`, for all replicas and for people.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ApiResource, Patch, PatchParams},
};
use serde::Deserialize;
use serde_json::json;

use super::super::{
    read_error::{ReadError, in_time},
    watch::Follower,
    watched_object::WatchedObject,
};
use crate::{
    constants::API_REQUEST_TIMEOUT,
    propagation::{DelayRange, DelayRecord},
};

const FIELD_MANAGER: &str = "apisix-prestop-propagation";

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMapText {
    data: Option<BTreeMap<String, String>>,
}

fn api(client: &Client) -> Api<WatchedObject> {
    let resource = ApiResource::erase::<ConfigMap>(&());
    Api::default_namespaced_with(client.clone(), &resource)
}

/// What a ConfigMap says. A value that cannot be read is logged, and counts as absent.
fn record(object: &WatchedObject, range: DelayRange) -> DelayRecord {
    let ConfigMapText { data } = serde_json::from_str(object.text()).unwrap_or_default();
    let (record, problems) = DelayRecord::parse(&data.unwrap_or_default(), range);
    for problem in problems {
        tracing::warn!(config_map = object.name(), "{problem}");
    }
    record
}

/// Passes what the ConfigMap `name` says to `on_record`, each time that it changes. Never ends.
pub(crate) async fn follow_delay(
    client: Client,
    name: String,
    range: DelayRange,
    on_record: impl Fn(DelayRecord),
) {
    let mut follower = Follower::single(api(&client), &name, format!("ConfigMap {name}"));
    let mut found = None;
    loop {
        follower.follow(&mut found).await;
        on_record(found.as_ref().map(|found| record(found, range)).unwrap_or_default());
    }
}

/// What the ConfigMap `name` in `namespace` says now.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn read_delay(
    client: &Client,
    namespace: &str,
    name: &str,
    range: DelayRange,
) -> Result<DelayRecord, ReadError> {
    let resource = ApiResource::erase::<ConfigMap>(&());
    let api = Api::<WatchedObject>::namespaced_with(client.clone(), namespace, &resource);
    let found = in_time(API_REQUEST_TIMEOUT, api.get(name)).await?;
    Ok(record(&found, range))
}

/// Writes what has been measured. What a person has written stays.
///
/// # Errors
/// When the API server does not take it.
pub(super) async fn write_delay(
    client: &Client,
    name: &str,
    record: &DelayRecord,
) -> Result<WatchedObject, ReadError> {
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": record.write(),
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(&config_map);
    let api = api(client);
    in_time(API_REQUEST_TIMEOUT, api.patch(name, &parameters, &patch)).await
}
