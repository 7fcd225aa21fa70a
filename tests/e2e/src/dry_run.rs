//! Pods as the API server would store them.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::PostParams};
use serde_json::Value;

/// Creates the Pod with a dry run: the Pod as it would be stored, or why it is rejected.
///
/// # Errors
/// With what the API server says.
pub async fn dry_run(client: &Client, namespace: &str, pod: &Value) -> Result<Pod, String> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let pod: Pod = serde_json::from_value(pod.clone()).map_err(|error| error.to_string())?;
    pods.create(&dry_run, &pod).await.map_err(|error| error.to_string())
}
