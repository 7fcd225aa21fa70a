//! Which Pods are targets, on the real API server: what the webhook learns of routes, and what it does
//! when it must not know.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop::constants::INJECTED_ANNOTATION;
use apisix_prestop_e2e::{
    command::{apply, kubectl, run, run_with_input},
    dry_run::dry_run,
    gateway,
    installation::{self, NAME},
    namespace::{OPTED_IN, with_values},
    route::WEB_INGRESS,
};
use kube::{Client, ResourceExt};
use serde_json::json;
use support::eventually;

const VALUES: [&str; 1] = ["injection.targets=upstreams"];
/// The kinds that the API server serves are looked for every few seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// The record of the injection into a Pod with the label `app: APP`; none if it gets no sleep.
async fn record(client: &Client, namespace: &str, app: &str) -> Result<Option<String>> {
    let pod = json!({
        "metadata": {"name": "probe", "labels": {"app": app}},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    });
    let pod = dry_run(client, namespace, &pod).await.map_err(anyhow::Error::msg)?;
    let hook = pod.spec.iter().flat_map(|spec| &spec.containers).any(|it| it.lifecycle.is_some());
    let record = pod.annotations().get(INJECTED_ANNOTATION).cloned();
    ensure!(
        hook == record.is_some(),
        "a record without a hook, or a hook without a record: {pod:#?}"
    );
    Ok(record)
}

/// Waits until Pods with the label `app: APP` get the sleep for `target`; none means no sleep.
async fn await_target(
    client: &Client,
    namespace: &str,
    app: &str,
    target: Option<&str>,
) -> Result<()> {
    let expected = target.map(|target| format!("app=5s; target: {target}"));
    eventually(&format!("{app} to be {expected:?}"), LIMIT, async || {
        let record = record(client, namespace, app).await?;
        ensure!(record == expected, "it is {record:?}");
        Ok(())
    })
    .await?;
    Ok(())
}

fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}\n"
    )
}

const APISIX_ROUTE: &str = "
apiVersion: apisix.apache.org/v2
kind: ApisixRoute
metadata: {name: api}
spec: {http: [{name: all, match: {paths: [/*]}, backends: [{serviceName: api, servicePort: 80}]}]}
";

const HTTP_ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: grpc}
spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: grpc, port: 80}]}]}
";

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec: {gatewayClassName: targets, listeners: [{name: http, protocol: HTTP, port: 30080}]}
";

const GATEWAY_CLASS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: targets}
spec: {controllerName: apisix.apache.org/gateway-controller}
";

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_routes_of_the_cluster_decide() -> Result<()> {
    with_values("targets", OPTED_IN, &VALUES, async |client, namespace| {
        let via = |kind: &str, name: &str| {
            format!(
                "upstream of {kind} {namespace}/{name} via Service {}",
                name.split('#').next().unwrap_or(name)
            )
        };
        await_target(&client, namespace, "web", None).await?;
        apply(namespace, &service("web")).await?;
        apply(namespace, WEB_INGRESS).await?;
        await_target(&client, namespace, "web", Some(&via("Ingress", "web"))).await?;
        await_target(&client, namespace, "worker", None).await?;
        kubectl(namespace, &["delete", "ingress", "web"]).await?;
        await_target(&client, namespace, "web", None).await?;

        // The kinds come while the webhook runs, unless the cluster has had them before.
        gateway::install_crds().await?;
        for name in ["api", "grpc"] {
            apply(namespace, &service(name)).await?;
        }
        apply(namespace, APISIX_ROUTE).await?;
        await_target(&client, namespace, "api", Some(&via("ApisixRoute", "api#all"))).await?;
        apply(namespace, HTTP_ROUTE).await?;
        await_target(&client, namespace, "grpc", None).await?;
        apply(namespace, GATEWAY).await?;
        apply(namespace, GATEWAY_CLASS).await?;
        await_target(&client, namespace, "grpc", Some(&via("HTTPRoute", "grpc"))).await?;
        kubectl(namespace, &["delete", "gatewayclass", "targets"]).await?;
        await_target(&client, namespace, "grpc", None).await?;
        kubectl(namespace, &["label", "service", "api", "a=b"]).await?;
        let change = r#"{"spec": {"selector": {"app": "other"}}}"#;
        kubectl(namespace, &["patch", "service", "api", "--patch", change]).await?;
        await_target(&client, namespace, "api", None).await?;
        await_target(
            &client,
            namespace,
            "other",
            Some(&format!("upstream of ApisixRoute {namespace}/api#all via Service api")),
        )
        .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_kind_that_must_not_be_read_is_named_and_every_pod_counts() -> Result<()> {
    with_values("forbidden", OPTED_IN, &VALUES, async |client, namespace| {
        gateway::install_crds().await?;
        await_target(&client, namespace, "worker", None).await?;
        // Without the right to read ApisixRoutes, from the start of the next replicas.
        let role = run("kubectl", &["get", "clusterrole", NAME, "-o", "json"]).await?.stdout;
        let role = role.replace(r#""apisixroutes","#, "");
        let mut role = serde_json::from_str::<serde_json::Value>(&role).context("the role")?;
        for field in ["managedFields", "resourceVersion"] {
            role["metadata"][field].take();
        }
        // As Helm itself, which gives it back later.
        let as_helm = ["apply", "--server-side", "--field-manager=helm", "-f", "-"];
        run_with_input("kubectl", &as_helm, &role.to_string()).await?;
        kubectl(NAME, &["rollout", "restart", "deployment", NAME]).await?;
        kubectl(NAME, &["rollout", "status", "deployment", NAME, "--timeout=90s"]).await?;
        installation::await_drained(&client).await?;
        await_target(&client, namespace, "worker", Some("unknown")).await?;
        for ready in installation::admin(&client, "ready").await? {
            let text = "ready, but cannot watch ApisixRoute: ";
            ensure!(ready.starts_with(text), "it has to name the kind: {ready}");
        }
        for metrics in installation::admin(&client, "metrics").await? {
            let lines = [
                r#"apisix_prestop_watch_failing{kind="ApisixRoute"} 1"#,
                r#"apisix_prestop_watch_failing{kind="Service"} 0"#,
                "apisix_prestop_targets_complete 0",
            ];
            for line in lines {
                ensure!(metrics.lines().any(|it| it == line), "no {line} in {metrics}");
            }
        }
        // What is known counts all the same.
        apply(namespace, &service("web")).await?;
        apply(namespace, WEB_INGRESS).await?;
        let ingress = format!("upstream of Ingress {namespace}/web via Service web");
        await_target(&client, namespace, "web", Some(&ingress)).await?;

        installation::install(&client, &VALUES).await?;
        await_target(&client, namespace, "worker", None).await?;
        eventually("no replica to find anything wrong", LIMIT, async || {
            for ready in installation::admin(&client, "ready").await? {
                ensure!(ready == "ready\n", "{ready}");
            }
            Ok(())
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_restart_of_the_api_server_amid_changes_loses_none() -> Result<()> {
    if !apisix_prestop_e2e::replica::are_possible() {
        println!("left out: only the test cluster can restart its API server");
        return Ok(());
    }
    with_values("restarted", OPTED_IN, &VALUES, async |client, namespace| {
        gateway::install_crds().await?;
        let routes = |number: usize| {
            let name = format!("api-{number}");
            let route = APISIX_ROUTE.replace("name: api}", &format!("name: {name}}}"));
            let route = route.replace("serviceName: api,", &format!("serviceName: {name},"));
            format!("{}---{route}", service(&name))
        };
        let restart = tokio::spawn(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            run("tests/cluster/cluster", &["restart", "kube-apiserver"]).await
        });
        for number in 0..40 {
            // The API server is away for a while.
            eventually("a Service and its route to be there", LIMIT, async || {
                apply(namespace, &routes(number)).await
            })
            .await?;
        }
        restart.await??;
        for number in [0, 13, 26, 39] {
            let name = format!("api-{number}");
            let route =
                format!("upstream of ApisixRoute {namespace}/{name}#all via Service {name}");
            await_target(&client, namespace, &name, Some(&route)).await?;
        }
        await_target(&client, namespace, "worker", None).await
    })
    .await
}
