//! Somebody who may read next to nothing.

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::command::{kubectl, run};

/// The kubeconfig of a ServiceAccount that may list the Pods of one namespace, and nothing else.
///
/// # Errors
/// With the output of kubectl.
pub async fn kubeconfig_of_reader(namespace: &str) -> Result<NamedTempFile> {
    kubectl(namespace, &["create", "serviceaccount", "reader"]).await?;
    kubectl(namespace, &["create", "role", "reader", "--verb=list", "--resource=pods"]).await?;
    let subject = format!("--serviceaccount={namespace}:reader");
    kubectl(namespace, &["create", "rolebinding", "reader", "--role=reader", &subject]).await?;
    let token = run("kubectl", &["-n", namespace, "create", "token", "reader"]).await?.stdout;
    let config = run("kubectl", &["config", "view", "--raw", "--minify", "-o", "json"]).await?;
    let mut config: Value = serde_json::from_str(&config.stdout)?;
    config["users"][0]["user"] = json!({"token": token.trim()});
    let file = NamedTempFile::new()?;
    fs::write(file.path(), config.to_string())?;
    Ok(file)
}
