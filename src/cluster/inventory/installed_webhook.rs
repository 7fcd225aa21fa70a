//! The webhook that is installed in a cluster.

use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration, apps::v1::Deployment,
};
use kube::{
    Client,
    api::{ApiResource, ListParams},
};
use serde::Deserialize;

use super::pages::{PageError, list_pages};
use crate::constants::DEFAULT_NAME;

/// The webhook that is installed in a cluster.
#[derive(Debug)]
pub(crate) struct InstalledWebhook {
    /// Namespaces that it does not look at, whatever their label is.
    pub(crate) excluded: Vec<String>,
    /// The arguments of the program, or why they cannot be read.
    pub(crate) arguments: Result<Vec<String>, String>,
}

/// The label of the namespace's name, which every namespace has.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigurationText {
    webhooks: Vec<WebhookText>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WebhookText {
    client_config: ClientConfigText,
    namespace_selector: NamespaceSelectorText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientConfigText {
    service: Option<ServiceReferenceText>,
}

#[derive(Deserialize)]
struct ServiceReferenceText {
    namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NamespaceSelectorText {
    match_expressions: Vec<ExpressionText>,
}

#[derive(Deserialize)]
struct ExpressionText {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Deserialize)]
struct DeploymentText {
    spec: DeploymentSpecText,
}

#[derive(Deserialize)]
struct DeploymentSpecText {
    template: TemplateText,
}

#[derive(Deserialize)]
struct TemplateText {
    spec: TemplateSpecText,
}

#[derive(Deserialize)]
struct TemplateSpecText {
    containers: Vec<ContainerArguments>,
}

#[derive(Deserialize)]
struct ContainerArguments {
    #[serde(default)]
    args: Vec<String>,
}

impl InstalledWebhook {
    /// Looks for one. With several, the first.
    ///
    /// # Errors
    /// When the webhook configurations cannot be listed.
    pub(crate) async fn find(client: &Client) -> Result<Option<Self>, PageError> {
        let ours =
            || ListParams::default().labels(&format!("app.kubernetes.io/name={DEFAULT_NAME}"));
        let resource = ApiResource::erase::<MutatingWebhookConfiguration>(&());
        let mut found = None;
        list_pages(client, &resource, None, ours(), |object| {
            let text = serde_json::from_str::<ConfigurationText>(object.text()).unwrap_or_default();
            found = found.take().or_else(|| text.webhooks.into_iter().next());
        })
        .await?;
        let Some(webhook) = found else { return Ok(None) };
        let expressions = webhook.namespace_selector.match_expressions.into_iter();
        let excluding = expressions.filter(|it| it.key == NAMESPACE_NAME && it.operator == "NotIn");
        let excluded = excluding.flat_map(|it| it.values).collect();
        let Some(service) = webhook.client_config.service else {
            let arguments = Err("it is not behind a Service".to_owned());
            return Ok(Some(Self { excluded, arguments }));
        };
        let resource = ApiResource::erase::<Deployment>(&());
        let mut arguments = Err(format!("no Deployment in namespace {}", service.namespace));
        let read = list_pages(client, &resource, Some(&service.namespace), ours(), |object| {
            if let Ok(text) = serde_json::from_str::<DeploymentText>(object.text()) {
                let containers = text.spec.template.spec.containers.into_iter();
                arguments = containers
                    .map(|it| it.args)
                    .find(|it| !it.is_empty())
                    .ok_or_else(|| format!("the Deployment {} has no arguments", object.name()));
            }
        });
        if let Err(error) = read.await {
            arguments = Err(error.to_string());
        }
        Ok(Some(Self { excluded, arguments }))
    }
}
