//! Which Pods run the ingress controller of APISIX.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client,
    api::{ApiResource, ListParams},
};

use super::super::list_pages::list_pages;
use crate::constants::{APISIX_CONTROLLER_SELECTOR, MAX_NAMED_CONTROLLERS};

/// Says that a gateway does not follow, and names the Pods that should tell it.
pub(super) async fn name_controller(client: Client, pod: String, gateway: String, seconds: f64) {
    let mut controllers = Vec::new();
    let resource = ApiResource::erase::<Pod>(&());
    let labels = ListParams::default().labels(APISIX_CONTROLLER_SELECTOR);
    let listed = list_pages(&client, &resource, None, labels, 1, |pod| {
        if controllers.len() < MAX_NAMED_CONTROLLERS {
            controllers.push(format!("{}/{}", pod.namespace(), pod.name()));
        }
    });
    let controllers = match listed.await {
        Err(error) => error.to_string(),
        Ok(()) if controllers.is_empty() => "none found".to_owned(),
        Ok(()) => controllers.join(", "),
    };
    tracing::warn!(pod, gateway, seconds, controllers, "APISIX does not follow");
}
