//! The CA bundle in the webhook configuration.

use k8s_openapi::{
    ByteString, api::admissionregistration::v1::MutatingWebhookConfiguration as Configuration,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::constants::CA_BUNDLE_FIELD_MANAGER;

/// The bundle of each webhook; empty where there is none.
pub(super) fn bundles(configuration: &Configuration) -> Vec<&[u8]> {
    let webhooks = configuration.webhooks.iter().flatten();
    webhooks
        .map(|webhook| webhook.client_config.ca_bundle.as_ref().map_or(&[][..], |bundle| &bundle.0))
        .collect()
}

/// Puts `bundle` into each webhook of a configuration that is there. All that we own of it is
/// this one field: whoever installs the configuration leaves it out, and keeps all the rest.
///
/// # Errors
/// When the API server refuses. A configuration that is gone by now is not created: it would
/// lack the fields that are required.
pub(super) async fn publish(
    configurations: &Api<Configuration>,
    configuration: &Configuration,
    bundle: String,
) -> kube::Result<Configuration> {
    let name = configuration.metadata.name.as_deref().unwrap_or_default();
    let parameters = PatchParams::apply(CA_BUNDLE_FIELD_MANAGER).force();
    configurations.patch(name, &parameters, &Patch::Apply(fields(configuration, bundle))).await
}

fn fields(configuration: &Configuration, bundle: String) -> Value {
    let bundle = ByteString(bundle.into_bytes());
    let webhooks = configuration.webhooks.iter().flatten();
    let webhooks = webhooks
        .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
        .collect::<Vec<_>>();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": configuration.metadata.name},
        "webhooks": webhooks,
    })
}
