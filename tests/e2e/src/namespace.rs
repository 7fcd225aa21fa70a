//! A namespace for a test. If the test fails, its content is printed.

use std::{panic::AssertUnwindSafe, time::SystemTime};

use anyhow::Result;
use futures::FutureExt;
use kube::Client;

use crate::{
    command::{run, run_with_input},
    gateway, installation,
};

/// The label with which a namespace opts in, as YAML.
pub const OPTED_IN: &str = "apisix-prestop/inject: enabled";

/// Creates a namespace with `labels` as YAML. Deletes an existing one of that name first.
///
/// # Errors
/// With the output of kubectl.
pub async fn create(name: &str, labels: &str) -> Result<()> {
    run("kubectl", &["delete", "namespace", name, "--ignore-not-found", "--wait"]).await?;
    ensure(name, labels).await
}

/// Creates a namespace with `labels` as YAML, unless it exists.
///
/// # Errors
/// With the output of kubectl.
pub async fn ensure(name: &str, labels: &str) -> Result<()> {
    let manifest = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n"
    );
    run_with_input("kubectl", &["apply", "-f", "-"], &manifest).await?;
    // A Pod is refused until its namespace has a default ServiceAccount.
    let account = ["-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s"];
    run("kubectl", &account).await?;
    Ok(())
}

/// Runs a test with the chart installed and a namespace of its own, which is deleted afterwards. If
/// the test fails, prints the content of the namespace and the log of the webhook.
///
/// # Errors
/// Those of the test, and those of the preparation.
pub async fn with_namespace(
    purpose: &str,
    labels: &str,
    test: impl AsyncFnOnce(Client, &str) -> Result<()>,
) -> Result<()> {
    with_values(purpose, labels, &[], test).await
}

/// Runs a test with the chart installed with `values`, as [`installation::install`] takes them.
///
/// # Errors
/// As [`with_namespace`].
pub async fn with_values(
    purpose: &str,
    labels: &str,
    values: &[&str],
    test: impl AsyncFnOnce(Client, &str) -> Result<()>,
) -> Result<()> {
    let client = Client::try_default().await?;
    installation::install(&client, values).await?;
    let unique = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() % 1_000_000;
    let name = format!("{purpose}-{unique}");
    create(&name, labels).await?;
    let result = AssertUnwindSafe(test(client, &name)).catch_unwind().await;
    if !matches!(result, Ok(Ok(()))) {
        dump(&name).await;
    }
    run("kubectl", &["delete", "namespace", &name, "--wait=false"]).await?;
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn dump(namespace: &str) {
    let webhook = installation::NAME;
    let selector = "app.kubernetes.io/name=apisix-prestop";
    for args in [
        ["-n", namespace, "get", "pods", "-o", "wide"],
        ["-n", namespace, "get", "events", "--sort-by=.lastTimestamp", "-owide"],
        ["-n", namespace, "describe", "pods", "--show-events=false", "--chunk-size=0"],
        ["-n", webhook, "get", "pods", "-o", "wide"],
        ["-n", webhook, "logs", "--tail=50", "-l", selector],
        ["-n", gateway::NAMESPACE, "logs", "--tail=50", "--prefix", "pod/gateway"],
        ["-n", gateway::NAMESPACE, "logs", "--tail=50", "--prefix", "deployment/controller"],
    ] {
        let output = match run("kubectl", &args).await {
            Ok(output) => output.stdout,
            Err(error) => error.to_string(),
        };
        eprintln!("--- kubectl {}\n{output}", args.join(" "));
    }
}
