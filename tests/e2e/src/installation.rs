//! The chart, installed by Helm.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};
use support::eventually;
use tokio::sync::Mutex;

use crate::{
    command::{run, run_with_input},
    namespace::{self, OPTED_IN},
    policy_refresh::await_refresh,
};

/// The name of the release, its namespace and its Service.
pub const NAME: &str = "apisix-prestop";
/// The Secret with the self-managed certificate.
pub const SECRET: &str = "apisix-prestop-tls";
/// The namespace of the Pods that probe whether the webhook answers.
const PROBE: &str = "apisix-prestop-probe";
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// How long the API server may take to reach a webhook, or to learn of a change.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The image under test: `E2E_IMAGE`.
///
/// # Errors
/// When the variable is missing or has no tag.
pub fn image() -> Result<(String, String)> {
    let image = std::env::var("E2E_IMAGE").context("E2E_IMAGE is not set: run `make e2e`")?;
    let (repository, tag) = image.rsplit_once(':').context("E2E_IMAGE has no tag")?;
    Ok((repository.to_owned(), tag.to_owned()))
}

/// The values of the chart with which it takes the image under test.
///
/// # Errors
/// As [`image`].
pub fn image_values() -> Result<String> {
    let (repository, tag) = image()?;
    Ok(format!("image.repository={repository},image.tag={tag}"))
}

/// Installs the chart, or upgrades it to `values` (`KEY=VALUE`, as in `--set`), and waits until
/// it is ready, no earlier version answers, and the API server reaches it.
///
/// # Errors
/// With the output of helm or kubectl.
pub async fn install(client: &Client, values: &[&str]) -> Result<()> {
    install_silent(client, values).await?;
    await_answer().await
}

/// Installs the chart with values that leave Pods unchanged: then no probe shows whether the API
/// server reaches the webhook.
///
/// # Errors
/// As [`install`].
pub async fn install_silent(client: &Client, values: &[&str]) -> Result<()> {
    // Tests may run side by side, and helm does one thing at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _guard = ONE_AT_A_TIME.lock().await;
    namespace::ensure(NAME, "").await?;
    let before = policy().await;
    let mut sets = vec![
        format!("--set={}", image_values()?),
        // Nothing is created while the webhook is rolled: there is nobody to wait for.
        "--set=shutdown.drainDelay=1s".to_owned(),
    ];
    if let Ok(build) = std::env::var("E2E_BUILD") {
        sets.push(format!("--set-string=podAnnotations.build={build}"));
    }
    sets.extend(values.iter().map(|value| format!("--set={value}")));
    let mut args = vec![
        "upgrade",
        "--install",
        NAME,
        "charts/apisix-prestop",
        "--namespace",
        NAME,
        "--wait",
        "--timeout=2m",
    ];
    args.extend(sets.iter().map(String::as_str));
    run("helm", &args).await?;
    if policy().await != before {
        await_refresh().await?;
    }
    await_drained(client).await
}

/// The state of the MutatingAdmissionPolicy of the release, and of its binding. `None` if the API server
/// knows no such resource.
async fn policy() -> Option<String> {
    let resources = "mutatingadmissionpolicies,mutatingadmissionpolicybindings";
    let versions = "jsonpath={.items[*].metadata.resourceVersion}";
    let release = format!("--selector=app.kubernetes.io/instance={NAME}");
    Some(run("kubectl", &["get", resources, &release, "-o", versions]).await.ok()?.stdout)
}

/// Waits until no Pod of the release is terminating: a draining Pod still answers.
///
/// # Errors
/// When one does not end within a minute.
pub async fn await_drained(client: &Client) -> Result<()> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAME);
    eventually("all terminating Pods of the release to end", DRAIN_LIMIT, async || {
        let list = pods.list(&ListParams::default()).await?.items;
        let terminating = list.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some());
        let names: Vec<_> = terminating.map(ResourceExt::name_any).collect();
        ensure!(names.is_empty(), "{} terminate still", names.join(", "));
        Ok(())
    })
    .await?;
    Ok(())
}

/// What the admin port of each replica answers.
///
/// # Errors
/// When there is no replica, or kubectl does not reach one.
pub async fn admin(client: &Client, path: &str) -> Result<Vec<String>> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAME);
    let mut answers = Vec::new();
    for pod in pods.list(&ListParams::default()).await?.items {
        let name = pod.name_any();
        let path = format!("/api/v1/namespaces/{NAME}/pods/{name}:8080/proxy/{path}");
        answers.push(run("kubectl", &["get", "--raw", &path]).await?.stdout);
    }
    ensure!(!answers.is_empty(), "there is no replica");
    Ok(answers)
}

/// Waits until the webhook answers beside the MutatingAdmissionPolicy, which cannot warn.
///
/// # Errors
/// When it does not within 30 s.
pub async fn await_warning() -> Result<()> {
    let annotation = "--annotations=apisix-prestop/delay=soon";
    let create = ["-n", PROBE, "run", "probe", "--image=none", "--dry-run=server", annotation];
    eventually("the webhook to warn", ANSWER_LIMIT, async || {
        let warnings = run("kubectl", &create).await?.stderr;
        ensure!(warnings.contains("is not a time"), "there is no warning: {warnings}");
        Ok(())
    })
    .await?;
    Ok(())
}

/// Waits until the API server reaches the webhook: kube-proxy learns of a ready Pod a moment later.
///
/// # Errors
/// When it does not within 30 s.
pub async fn await_answer() -> Result<()> {
    namespace::ensure(PROBE, OPTED_IN).await?;
    let pod = "apiVersion: v1\nkind: Pod\n\
               metadata: {name: probe, annotations: {apisix-prestop/target: always}}\n\
               spec: {containers: [{name: probe, image: none}]}\n";
    let create = ["-n", PROBE, "create", "--dry-run=server", "-o", "yaml", "-f", "-"];
    eventually("a Pod to get the hook", ANSWER_LIMIT, async || {
        let created = run_with_input("kubectl", &create, pod).await?.stdout;
        ensure!(created.contains("preStop:"), "no hook in:\n{created}");
        Ok(())
    })
    .await?;
    Ok(())
}

/// Removes the release, its namespace, and the namespace of the probes.
///
/// # Errors
/// With the output of helm or kubectl.
pub async fn uninstall() -> Result<()> {
    run("helm", &["uninstall", NAME, "--namespace", NAME, "--ignore-not-found", "--wait"]).await?;
    run("kubectl", &["delete", "namespace", NAME, PROBE, "--ignore-not-found", "--wait"]).await?;
    Ok(())
}
