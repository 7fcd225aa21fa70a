//! The alerts and the dashboard of the chart, with a real Prometheus that scrapes the webhook.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{apply, kubectl, repository, run, run_with_input},
    gateway::MEASURED,
    image::shell_image,
    namespace::with_values,
    prometheus::{self, Prometheus},
    route::WEB_INGRESS,
};
use serde_json::Value;
use support::eventually;

/// The webhook shows an unprotected Pod after some seconds, and Prometheus has it a second later.
const LIMIT: Duration = Duration::from_secs(60);

/// The API server has no series of these before the first failure.
const FAILURES: [&str; 2] =
    ["apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count"];

/// There are no series of these before a Pod has left, and without a gateway.
const MEASURED_LATER: [&str; 5] = [
    "apisix_prestop_propagation_seconds_bucket",
    "apisix_prestop_headroom_seconds",
    "apisix_prestop_gateway_behind_seconds",
    "apisix_prestop_gateway_unanswered",
    "apisix_prestop_stale_addresses",
];

/// The Service has a limit, and the Pods were created before their namespace opted in.
async fn prepare(namespace: &str) -> Result<()> {
    let image = format!("--image={}", shell_image());
    kubectl(namespace, &["create", "deployment", "web", &image, "--", "sleep", "infinity"]).await?;
    kubectl(namespace, &["rollout", "status", "deployment", "web", "--timeout=90s"]).await?;
    kubectl(namespace, &["create", "service", "clusterip", "web", "--tcp=80"]).await?;
    let limit = r#"{"spec": {"publishNotReadyAddresses": true}}"#;
    kubectl(namespace, &["patch", "service", "web", "--patch", limit]).await?;
    apply(namespace, WEB_INGRESS).await?;
    run("kubectl", &["label", "namespace", namespace, "apisix-prestop/inject=enabled"]).await?;
    Ok(())
}

/// A review with a notice.
async fn review(namespace: &str) -> Result<()> {
    let pod = "apiVersion: v1\nkind: Pod\n\
               metadata: {name: typo, annotations: {apisix-prestop/dely: 5s}}\n\
               spec: {containers: [{name: app, image: none}]}\n";
    let create = ["-n", namespace, "create", "--dry-run=server", "-f", "-"];
    run_with_input("kubectl", &create, pod).await?;
    Ok(())
}

/// The queries of the dashboard, with times for the variables of Grafana.
fn queries() -> Result<Vec<String>> {
    let path = repository().join("charts/apisix-prestop/files/dashboard.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let panels = dashboard["panels"].as_array().context("the dashboard has no panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| {
            let query = target["expr"].as_str().context("a target has no query")?;
            Ok(query.replace("$__rate_interval", "1m").replace("$__range", "1h"))
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn prometheus_answers_the_dashboard_and_evaluates_the_alerts() -> Result<()> {
    if !prometheus::is_installed().await {
        println!("skipped: prometheus and promtool are not on the PATH");
        return Ok(());
    }
    with_values("alerts", "team: shop", &MEASURED, async |client, namespace| {
        prepare(namespace).await?;
        let prometheus = Prometheus::start(&client).await?;
        for query in queries()? {
            let mut may_lack = FAILURES.iter().chain(&MEASURED_LATER);
            let may_lack = may_lack.any(|name| query.contains(name));
            eventually(&query, LIMIT, async || {
                review(namespace).await?;
                let series = prometheus.query(&query).await?;
                ensure!(may_lack || !series.is_empty(), "there is no series");
                Ok::<_, anyhow::Error>(())
            })
            .await?;
        }

        let alert = format!(
            "ALERTS{{alertname=\"ApisixPrestopUnprotectedPods\",namespace=\"{namespace}\"}}"
        );
        eventually("the Pod to raise an alert", LIMIT, async || {
            let series = prometheus.query(&alert).await?;
            ensure!(series.len() == 1, "there are {series:#?}");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        let critical = prometheus.query("ALERTS{severity=\"critical\"}").await?;
        ensure!(critical.is_empty(), "nothing is broken: {critical:#?}");
        // A rule may fail on what there is, although it can be parsed.
        let failed = prometheus.query("prometheus_rule_evaluation_failures_total > 0").await?;
        let evaluated = prometheus.query("prometheus_rule_evaluations_total > 0").await?;
        ensure!(failed.is_empty() && !evaluated.is_empty(), "{failed:#?}, {evaluated:#?}");
        Ok(())
    })
    .await
}
