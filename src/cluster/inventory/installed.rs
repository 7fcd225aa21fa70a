//! What is installed in a cluster: the webhook, or the policy that replaces it.

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingAdmissionPolicy, MutatingWebhookConfiguration},
    apps::v1::Deployment,
};
use kube::{
    Client,
    api::{ApiResource, ListParams},
};

use super::super::{list_pages::list_pages, read_error::ReadError};
use crate::{
    constants::{MAX_PAGES, NAME_LABEL},
    preflight::{
        MutatingConfiguration, MutatingPolicy, WebhookDeployment, is_our_policy, is_ours,
        our_webhook,
    },
};

/// What is installed in a cluster.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// The configurations of the webhook: they say which namespaces have opted in.
    pub(crate) configurations: Vec<MutatingConfiguration>,
    /// The policies that replace it: they say so too.
    pub(crate) policies: Vec<MutatingPolicy>,
    /// The webhook, or why its arguments cannot be read. `None` without one.
    pub(crate) webhook: Option<Result<InstalledWebhook, String>>,
}

/// A webhook that is installed.
#[derive(Debug)]
pub(crate) struct InstalledWebhook {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its arguments. The first is the command.
    pub(crate) arguments: Vec<String>,
}

impl Installed {
    /// Looks for a webhook, and for policies. With several webhooks, the flags are those of the first.
    ///
    /// # Errors
    /// When the webhook configurations or the policies cannot be listed.
    pub(crate) async fn find(client: &Client) -> Result<Self, ReadError> {
        let resource = ApiResource::erase::<MutatingWebhookConfiguration>(&());
        let mut installed = Self::default();
        let all = ListParams::default();
        list_pages(client, &resource, None, all.clone(), MAX_PAGES, |object| {
            let configuration = serde_json::from_str::<MutatingConfiguration>(object.text());
            installed.configurations.extend(configuration.ok().filter(is_ours));
        })
        .await?;
        let resource = ApiResource::erase::<MutatingAdmissionPolicy>(&());
        let listed = list_pages(client, &resource, None, all, MAX_PAGES, |object| {
            let policy = serde_json::from_str::<MutatingPolicy>(object.text());
            installed.policies.extend(policy.ok().filter(is_our_policy));
        });
        match listed.await {
            // Before Kubernetes 1.36 there are none, and beside a webhook they decide the same.
            Err(error) if !error.is_absent() && installed.configurations.is_empty() => {
                return Err(error);
            }
            _ => {}
        }
        if let Some(first) = installed.configurations.first() {
            installed.webhook = Some(webhook(client, first).await);
        }
        Ok(installed)
    }
}

async fn webhook(
    client: &Client,
    configuration: &MutatingConfiguration,
) -> Result<InstalledWebhook, String> {
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
    let arguments =
        found.ok_or_else(|| format!("no Deployment with arguments in namespace {namespace}"))?;
    Ok(InstalledWebhook { namespace: namespace.clone(), arguments })
}
