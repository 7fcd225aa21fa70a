//! `apisix-prestop check` on the real API server: all is well, or the mistake is named.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{apply, kubectl, run, run_with_input},
    installation::{self, NAME},
    namespace::{self, OPTED_IN, with_namespace, with_values},
    program::{Checked, apisix_prestop, check},
    provided_certificate::{self, Pair},
    reader::kubeconfig_of_reader,
    replica,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::{
    api::admissionregistration::v1::MutatingWebhookConfiguration,
    jiff::{Timestamp, ToSpan, tz::TimeZone},
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use rcgen::date_time_ymd;
use serde_json::{Value, json};
use support::eventually;

/// The API server serves a new kind within seconds.
const LIMIT: Duration = Duration::from_secs(30);
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
    with_namespace("check", "team: shop", async |_, _| {
        let checked = check(&["--pre"]).await?;
        expect(&checked, "✓ you may install the chart")?;
        expect(&checked, "‼ the MutatingWebhookConfiguration apisix-prestop of a release is there")
    })
    .await
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
        for line in [
            format!("✓ the CA verifies the certificate of {NAME}.{NAME}.svc"),
            format!("✓ a Pod gets the hook in 1 namespace: {NAME}-check"),
        ] {
            ensure!(report.contains(&line), "no {line:?} in:\n{report}");
        }
        let is_fault = |line: &str| ["‼", "✗"].iter().any(|sign| line.starts_with(sign));
        ensure!(!report.lines().any(is_fault), "{report}");
        let left = "namespace,clusterrole,clusterrolebinding";
        let left = run("kubectl", &["get", left, "-o", "name"]).await?.stdout;
        ensure!(!left.contains("apisix-prestop-check"), "it leaves rights behind:\n{left}");
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

        let excluded = "kube-system";
        run("kubectl", &["label", "namespace", excluded, "apisix-prestop/inject=true"]).await?;
        let line =
            "kube-system has the label apisix-prestop/inject=true, but the webhook excludes it";
        let named = is_named(&["-A"], line).await;
        run("kubectl", &["label", "namespace", excluded, "apisix-prestop/inject-"]).await?;
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

/// What somebody may do to a configuration, and the line that names it.
fn changes(namespace: &str) -> Result<Vec<(Value, String)>> {
    let ca = BASE64_STANDARD.encode(Pair::new(|_| {})?.ca());
    let changes = [
        (json!({"rules": []}), "✗ COPY has no rule for CREATE of pods".to_owned()),
        (
            json!({"clientConfig": {"service": {"path": "/other"}}}),
            "✗ COPY calls another path than /inject".to_owned(),
        ),
        (
            json!({"namespaceSelector": {"matchLabels": {"apisix-prestop/inject": "on"}}}),
            "✗ COPY selects no namespace with apisix-prestop/inject=enabled".to_owned(),
        ),
        (
            json!({"namespaceSelector": null}),
            "‼ COPY selects namespaces without apisix-prestop/inject".to_owned(),
        ),
        (
            json!({"objectSelector": null}),
            "‼ COPY selects Pods with apisix-prestop/inject=disabled".to_owned(),
        ),
        (
            json!({"clientConfig": {"caBundle": null}}),
            "✗ the caBundle of COPY is not usable: it is empty".to_owned(),
        ),
        (json!({"clientConfig": {"caBundle": ca}}), "✗ the CA does not verify what ".to_owned()),
        (json!({}), format!("‼ {NAME} and COPY both change the Pods of namespace {namespace}")),
    ];
    Ok(changes.map(|(change, line)| (change, line.replace("COPY", COPY))).into())
}

/// The webhook would repair its own configuration.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_fault_of_a_configuration_is_named() -> Result<()> {
    with_namespace("check", OPTED_IN, async |client, namespace| {
        let configurations = Api::<MutatingWebhookConfiguration>::all(client);
        let real = serde_json::to_value(configurations.get(NAME).await?)?;
        for (change, line) in changes(namespace)? {
            let mut webhook = real["webhooks"][0].clone();
            json_patch::merge(&mut webhook, &change);
            let metadata = json!({"name": COPY, "labels": real["metadata"]["labels"]});
            let copy = json!({"metadata": metadata, "webhooks": [webhook]});
            let copy = serde_json::from_value(copy)?;
            configurations.create(&PostParams::default(), &copy).await?;
            let checked = check(&["-n", namespace]).await;
            configurations.delete(COPY, &DeleteParams::default()).await?;
            expect(&checked?, &line)?;
        }
        Ok(())
    })
    .await
}

/// That the report has a line that begins so, and an exit code that fits it.
fn expect(checked: &Checked, line: &str) -> Result<()> {
    let Checked { code, report } = checked;
    ensure!(report.lines().any(|it| it.starts_with(line)), "no {line:?} in:\n{report}");
    let has_failed = report.lines().any(|it| it.starts_with("✗"));
    ensure!(*code == i32::from(has_failed), "exit code {code}:\n{report}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_fault_of_the_replicas_is_named() -> Result<()> {
    with_namespace("check", OPTED_IN, async |client, namespace| {
        let selector = "-l=app.kubernetes.io/name=apisix-prestop";
        let named = async |line: &str| expect(&check(&["-n", namespace]).await?, line);

        let first = "jsonpath={.items[0].metadata.name}";
        let pod = run("kubectl", &["-n", NAME, "get", "pods", selector, "-o", first]).await?.stdout;
        let version = |version: &'static str| ["label", "pod", &pod, "--overwrite", version];
        kubectl(NAME, &version("app.kubernetes.io/version=9.9.9")).await?;
        let found = named("‼ the release has version 9.9.9, and this program ").await;
        kubectl(NAME, &version(concat!("app.kubernetes.io/version=", env!("CARGO_PKG_VERSION")))).await?;
        found?;

        let other = "apiVersion: v1\nkind: Pod\nmetadata: {name: other, labels: {app.kubernetes.io/name: apisix-prestop, \
             app.kubernetes.io/instance: apisix-prestop}}\nspec: {schedulerName: none, containers: [{name: webhook, image: other:1}]}\n";
        apply(NAME, other).await?;
        let found = named("‼ the replicas run different images: ").await;
        kubectl(NAME, &["delete", "pod", "other", "--now"]).await?;
        found?;

        let closed = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed}\n\
             spec: {podSelector: {}, policyTypes: [Ingress]}\n";
        apply(NAME, closed).await?;
        let found = named("‼ no rule of closed lets the API server reach port 10250").await;
        kubectl(NAME, &["delete", "networkpolicy", "closed"]).await?;
        found?;

        kubectl(NAME, &["scale", "deployment", NAME, "--replicas=0"]).await?;
        kubectl(NAME, &["wait", "--for=delete", "pod", selector, "--timeout=60s"]).await?;
        let down = check(&["-n", namespace]).await;
        kubectl(NAME, &["scale", "deployment", NAME, "--replicas=2"]).await?;
        let down = down?;
        expect(&down, &format!("✗ 0 of 0 replicas are ready in namespace {NAME}"))?;
        let unreached = "the Pod has no hook: the API server does not reach the webhook";
        expect(&down, &format!("✗ namespace {namespace}: {unreached}"))?;

        installation::uninstall().await?;
        let absent = check(&["-n", namespace]).await;
        installation::install(&client, &[]).await?;
        expect(&absent?, "✗ there is no MutatingWebhookConfiguration or MutatingAdmissionPolicy")
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn what_somebody_may_not_do_is_named() -> Result<()> {
    with_namespace("check", OPTED_IN, async |_, namespace| {
        let reader = kubeconfig_of_reader(namespace).await?;
        for (flags, line) in [
            (["check", "-n", namespace], "‼ you may not list mutatingwebhookconfigurations"),
            (["check", "--pre", "-A"], "✗ you may not create clusterroles"),
        ] {
            let run = apisix_prestop(&flags, Some(reader.path())).await?;
            expect(&Checked { code: run.code, report: run.stdout + &run.stderr }, line)?;
        }
        Ok(())
    })
    .await
}

/// Its own certificate would have been renewed.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_certificate_that_ends_soon_is_named() -> Result<()> {
    const SECRET: &str = "ends-soon";
    let client = Client::try_default().await?;
    // The webhook owns the caBundle of a release with its own certificate.
    installation::uninstall().await?;
    namespace::ensure(NAME, "").await?;
    let day = |days: i64| {
        let date = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(days.days());
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let pair = Pair::new(|params| (params.not_before, params.not_after) = (day(-80), day(3)))?;
    pair.write(&client, SECRET).await?;
    let values = provided_certificate::values(SECRET, &[&pair]);
    let values = values.each_ref().map(String::as_str);
    let named = with_values("check", OPTED_IN, &values, async |_, namespace| {
        expect(&check(&["-n", namespace]).await?, "‼ the certificate expires in 2 days")
    });
    let named = named.await;
    installation::uninstall().await?;
    named
}

/// A Node without a machine, of a kubelet without the native sleep.
const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: check}
spec: {providerID: 'azure:///subscriptions/none', unschedulable: true}
";

/// No webhook is there, which would learn of that Node.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn what_nodes_need_is_named() -> Result<()> {
    if !replica::are_possible() {
        println!("skipped: CLUSTER=existing may not take a Node without a machine");
        return Ok(());
    }
    installation::uninstall().await?;
    run_with_input("kubectl", &["apply", "-f", "-"], NODE).await?;
    let old = r#"{"status": {"nodeInfo": {"kubeletVersion": "v1.28.3"}}}"#;
    let status = ["patch", "node", "check", "--subresource=status", "--type=merge", "--patch", old];
    let patched = run("kubectl", &status).await;
    let checked = check(&["--pre"]).await;
    run("kubectl", &["delete", "node", "check"]).await?;
    patched?;
    let checked = checked?;
    for line in [
        "‼ the kubelet v1.28.3 of node check is too old for the API server",
        "‼ AKS: its admissions enforcer ",
    ] {
        expect(&checked, line)?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_policy_engine_is_named() -> Result<()> {
    const ENGINE: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: policies.kyverno.io}
spec:
  group: kyverno.io
  scope: Cluster
  names: {plural: policies, singular: policy, kind: Policy}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";
    with_namespace("check", OPTED_IN, async |_, namespace| {
        apply(namespace, ENGINE).await?;
        let named = eventually("check to name Kyverno", LIMIT, async || {
            expect(&check(&["-n", namespace]).await?, "✓ policies come from Kyverno")
        });
        let named = named.await;
        run("kubectl", &["delete", "crd", "policies.kyverno.io"]).await?;
        Ok(named?)
    })
    .await
}
