//! The webhook configuration: what certificates need of it.

use std::borrow::Cow;

use k8s_openapi::{
    ByteString, ClusterResourceScope, api::admissionregistration::v1::MutatingWebhookConfiguration,
};
use kube::{Resource, api::ObjectMeta};
use serde::Deserialize;

/// A MutatingWebhookConfiguration, without the many fields that say when it applies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Configuration {
    metadata: ObjectMeta,
    webhooks: Option<Vec<ConfiguredWebhook>>,
}

/// A webhook of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ConfiguredWebhook {
    pub(super) name: String,
    client_config: ClientConfig,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClientConfig {
    ca_bundle: Option<ByteString>,
}

impl Configuration {
    pub(super) fn webhooks(&self) -> impl Iterator<Item = &ConfiguredWebhook> {
        self.webhooks.iter().flatten()
    }
}

impl ConfiguredWebhook {
    /// Its CA bundle; empty if it has none.
    pub(super) fn bundle(&self) -> &[u8] {
        self.client_config.ca_bundle.as_ref().map_or(&[], |bundle| &bundle.0)
    }
}

impl Resource for Configuration {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        MutatingWebhookConfiguration::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        MutatingWebhookConfiguration::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        MutatingWebhookConfiguration::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        MutatingWebhookConfiguration::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
