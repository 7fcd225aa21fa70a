//! The CA bundle in the webhook configuration.

use k8s_openapi::ByteString;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::configuration::{Configuration, ConfiguredWebhook};
use crate::constants::CA_BUNDLE_FIELD_MANAGER;

/// The bundle of each webhook; empty if a webhook has none.
pub(super) fn bundles(configuration: &Configuration) -> Vec<&[u8]> {
    configuration.webhooks().map(ConfiguredWebhook::bundle).collect()
}

/// Writes `bundle` into each webhook of an existing configuration. The webhook owns only this field:
/// the chart leaves it out, and owns all others.
///
/// # Errors
/// When the API server refuses. It does not create a configuration that is gone: required fields
/// would be missing.
pub(super) async fn publish(
    configurations: &Api<Configuration>,
    configuration: &Configuration,
    bundle: String,
) -> kube::Result<Configuration> {
    let parameters = PatchParams::apply(CA_BUNDLE_FIELD_MANAGER).force();
    let name = configuration.name_any();
    configurations.patch(&name, &parameters, &Patch::Apply(fields(configuration, bundle))).await
}

fn fields(configuration: &Configuration, bundle: String) -> Value {
    let bundle = ByteString(bundle.into_bytes());
    let webhooks = configuration
        .webhooks()
        .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
        .collect::<Vec<_>>();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": configuration.name_any()},
        "webhooks": webhooks,
    })
}
