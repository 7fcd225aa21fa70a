//! What the caller may do.

use futures::{StreamExt, stream};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::Resource;
use serde::Deserialize;
use serde_json::json;

use super::api_reader::ApiReader;
use crate::{
    constants::{API_REQUEST_TIMEOUT, CONCURRENT_REQUESTS},
    preflight::RightFacts,
};

/// A verb, a resource, and whether it is one of the namespace in question. Others are of the cluster.
type Right = (&'static str, &'static str, bool);

/// What Helm does to install the chart.
pub(super) const TO_INSTALL: [Right; 14] = [
    ("create", "namespaces", false),
    ("create", "clusterroles.rbac.authorization.k8s.io", false),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io", false),
    ("create", "mutatingwebhookconfigurations.admissionregistration.k8s.io", false),
    ("create", "deployments.apps", true),
    ("create", "services", true),
    ("create", "serviceaccounts", true),
    ("create", "secrets", true),
    ("get", "secrets", true),
    ("list", "secrets", true),
    ("create", "resourcequotas", true),
    ("create", "poddisruptionbudgets.policy", true),
    ("create", "roles.rbac.authorization.k8s.io", true),
    ("create", "rolebindings.rbac.authorization.k8s.io", true),
];
/// What this command reads of the cluster.
pub(super) const TO_READ: [Right; 3] = [
    ("list", "nodes", false),
    ("list", "namespaces", false),
    ("list", "mutatingwebhookconfigurations.admissionregistration.k8s.io", false),
];
/// What it does in the namespaces that may have opted in.
pub(super) const TO_LOOK: [Right; 4] = [
    ("create", "pods", true),
    ("list", "deployments.apps", true),
    ("list", "statefulsets.apps", true),
    ("list", "daemonsets.apps", true),
];
/// What it reads of a release.
pub(super) const TO_READ_RELEASE: [Right; 3] = [
    ("list", "pods", true),
    ("list", "deployments.apps", true),
    ("list", "networkpolicies.networking.k8s.io", true),
];
/// What it needs to see the certificate from inside the cluster, and from outside.
pub(super) const TO_DIAL_INSIDE: [Right; 1] = [("list", "services", true)];
pub(super) const TO_DIAL: [Right; 1] = [("create", "pods/portforward", true)];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccessReview {
    status: AccessReviewStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccessReviewStatus {
    allowed: bool,
}

/// Asks the API server about each of `rights`, in `namespace` or in all.
pub(super) async fn ask(
    reader: &ApiReader,
    rights: &[Right],
    namespace: Option<&str>,
) -> Vec<RightFacts> {
    let namespace = namespace.unwrap_or_default();
    let answers = stream::iter(rights).map(async |&(verb, resource, is_namespaced)| {
        let namespace = if is_namespaced { namespace } else { "" };
        let is_allowed = may(reader, verb, resource, namespace).await;
        RightFacts { verb, resource, namespace: namespace.to_owned(), is_allowed }
    });
    answers.buffered(CONCURRENT_REQUESTS).collect().await
}

async fn may(
    reader: &ApiReader,
    verb: &str,
    resource: &str,
    namespace: &str,
) -> Result<bool, String> {
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let question = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource,
            "namespace": namespace,
        }},
    });
    let path = SelfSubjectAccessReview::url_path(&(), None);
    let answer = reader.create::<AccessReview>(path, &question, false, API_REQUEST_TIMEOUT).await;
    answer.map(|answer| answer.status.allowed).map_err(|error| error.to_string())
}
