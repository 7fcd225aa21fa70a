//! `apisix-prestop check` on the real API server: all is well, or the mistake is named.

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{apply, kubectl, run},
    installation::NAME,
    namespace::{OPTED_IN, with_namespace, with_values},
    program::check,
    provided_certificate::Pair,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};

/// A configuration like ours, with another CA, that no namespace asks for.
const COPY: &str = "apisix-prestop-copy";

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn all_is_well_with_the_chart_and_a_namespace_that_has_opted_in() -> Result<()> {
    with_namespace("check", OPTED_IN, async |_, namespace| {
        let checked = check(&["-n", namespace, "--wait", "30s"]).await?;
        let is_fault = |line: &&str| ["‼", "✗", "- "].iter().any(|sign| line.starts_with(sign));
        let faults: Vec<_> = checked.report.lines().filter(is_fault).collect();
        ensure!(faults.is_empty() && checked.code == 0, "{faults:#?} in:\n{}", checked.report);
        let kept = format!("a Pod gets the hook in 1 namespace: {namespace}");
        ensure!(checked.report.contains(&kept), "no {kept:?} in:\n{}", checked.report);
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn before_the_installation_an_administrator_may_install() -> Result<()> {
    let checked = check(&["--pre"]).await?;
    ensure!(checked.report.contains("✓ you may install the chart"), "{}", checked.report);
    ensure!(checked.code == 0, "{}", checked.report);
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn helm_test_reads_the_cluster_from_inside() -> Result<()> {
    with_values("check", "team: shop", &["test.enabled=true"], async |_, _| {
        let tested = run("helm", &["test", NAME, "--namespace", NAME, "--timeout=3m"]).await;
        let report = run("kubectl", &["-n", NAME, "logs", "apisix-prestop-check"]).await;
        kubectl(NAME, &["delete", "pod", "apisix-prestop-check", "--ignore-not-found"]).await?;
        let report = report?.stdout;
        tested.with_context(|| report.clone())?;
        let line = format!("✓ the CA verifies the certificate of {NAME}.{NAME}.svc");
        ensure!(report.contains(&line), "no {line:?} in:\n{report}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_near_miss_is_named() -> Result<()> {
    with_namespace("check", "team: shop", async |_, namespace| {
        let is_named = async |flags: &[&str], line: &str| {
            let checked = check(flags).await?;
            ensure!(checked.report.contains(line), "no {line:?} in:\n{}", checked.report);
            Ok(())
        };
        let only = ["-n", namespace];
        is_named(&only, &format!("namespace {namespace} has not opted in")).await?;

        let deployment = "apiVersion: apps/v1\nkind: Deployment\n\
             metadata: {name: web, labels: {apisix-prestop/inject: enabled}}\n\
             spec: {replicas: 0, selector: {matchLabels: {app: web}}, template: {metadata: \
             {labels: {app: web}}, spec: {containers: [{name: app, image: none}]}}}\n";
        apply(namespace, deployment).await?;
        let line =
            format!("Deployment {namespace}/web has the label apisix-prestop/inject=enabled");
        is_named(&only, &line).await?;

        let annotate = ["annotate", "namespace", namespace, "apisix-prestop/inject=enabled"];
        run("kubectl", &annotate).await?;
        let line = format!("namespace {namespace} has apisix-prestop/inject as an annotation");
        is_named(&only, &line).await?;

        run("kubectl", &["label", "namespace", namespace, "apisix-prestop/inject=True"]).await?;
        let line = format!("namespace {namespace} has the label apisix-prestop/inject=True");
        is_named(&only, &line).await?;

        run("kubectl", &["label", "namespace", NAME, "apisix-prestop/inject=enabled"]).await?;
        let named = is_named(&["-A"], "but it is the namespace of the webhook itself").await;
        run("kubectl", &["label", "namespace", NAME, "apisix-prestop/inject-"]).await?;
        named?;

        // A quota hides what the webhook does, and says so.
        run(
            "kubectl",
            &["label", "namespace", namespace, "--overwrite", "apisix-prestop/inject=enabled"],
        )
        .await?;
        kubectl(namespace, &["create", "quota", "none", "--hard=pods=0"]).await?;
        is_named(&only, "the Pod is rejected: pods \"apisix-prestop-check\" is forbidden").await
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_bundle_of_another_ca_is_a_failure() -> Result<()> {
    with_namespace("check", "team: shop", async |client, namespace| {
        let configurations = Api::<MutatingWebhookConfiguration>::all(client);
        let mut copy = configurations.get(NAME).await?;
        copy.metadata = ObjectMeta {
            name: Some(COPY.to_owned()),
            labels: copy.metadata.labels,
            ..ObjectMeta::default()
        };
        for webhook in copy.webhooks.iter_mut().flatten() {
            let ca = BASE64_STANDARD.encode(Pair::new(|_| {})?.ca());
            webhook.client_config.ca_bundle = serde_json::from_value(ca.into())?;
            let selector = webhook.namespace_selector.get_or_insert_default();
            selector.match_labels.get_or_insert_default().insert("copy".into(), "yes".into());
        }
        configurations.create(&PostParams::default(), &copy).await?;
        let checked = check(&["-n", namespace]).await;
        configurations.delete(COPY, &DeleteParams::default()).await?;
        let checked = checked?;
        let line = "✗ the CA does not verify what ";
        ensure!(checked.report.contains(line), "no {line:?} in:\n{}", checked.report);
        ensure!(checked.code == 1, "exit code {}:\n{}", checked.code, checked.report);
        Ok(())
    })
    .await
}
