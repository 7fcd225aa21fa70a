//! The webhook that is installed in a cluster.

use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration, apps::v1::Deployment,
};
use kube::{
    Client,
    api::{ApiResource, ListParams},
};

use super::super::{list_pages::list_pages, read_error::ReadError};
use crate::{
    constants::{MAX_PAGES, NAME_LABEL},
    preflight::{MutatingConfiguration, WebhookDeployment, is_ours, our_webhook},
};

/// The webhook that is installed in a cluster.
#[derive(Debug)]
pub(crate) struct InstalledWebhook {
    /// Its configurations: they say which namespaces have opted in.
    pub(crate) configurations: Vec<MutatingConfiguration>,
    /// The arguments of the program, or why they cannot be read.
    pub(crate) arguments: Result<Vec<String>, String>,
}

impl InstalledWebhook {
    /// Looks for one. With several, the flags are those of the first.
    ///
    /// # Errors
    /// When the webhook configurations cannot be listed.
    pub(crate) async fn find(client: &Client) -> Result<Option<Self>, ReadError> {
        let resource = ApiResource::erase::<MutatingWebhookConfiguration>(&());
        let mut configurations = Vec::new();
        let all = ListParams::default();
        list_pages(client, &resource, None, all, MAX_PAGES, |object| {
            let configuration = serde_json::from_str::<MutatingConfiguration>(object.text());
            configurations.extend(configuration.ok().filter(is_ours));
        })
        .await?;
        let Some(first) = configurations.first() else { return Ok(None) };
        let arguments = arguments(client, first).await;
        Ok(Some(Self { configurations, arguments }))
    }
}

async fn arguments(
    client: &Client,
    configuration: &MutatingConfiguration,
) -> Result<Vec<String>, String> {
    let service = our_webhook(configuration).and_then(|it| it.client_config.service.as_ref());
    let namespace = &service.ok_or("it is not behind a Service")?.namespace;
    let name = configuration.metadata.labels.get(NAME_LABEL).ok_or("it has no labels")?;
    let resource = ApiResource::erase::<Deployment>(&());
    let labels = ListParams::default().labels(&format!("{NAME_LABEL}={name}"));
    let mut found = None;
    let list = list_pages(client, &resource, Some(namespace), labels, MAX_PAGES, |object| {
        let deployment = serde_json::from_str::<WebhookDeployment>(object.text());
        found = found.take().or_else(|| Some(deployment.ok()?.arguments()?.to_vec()));
    });
    list.await.map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("no Deployment with arguments in namespace {namespace}"))
}
