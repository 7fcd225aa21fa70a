//! Running Pods without a sleep, on the real API server: they are counted by one replica, and each
//! workload gets one Event.

use std::time::Duration;

use anyhow::{Result, ensure};
use apisix_prestop_e2e::{
    command::{apply, kubectl, run},
    image::shell_image,
    installation::{NAME, admin},
    namespace::with_namespace,
    route::WEB_INGRESS,
};
use k8s_openapi::api::{coordination::v1::Lease, events::v1::Event};
use kube::{Api, Client, api::ListParams};
use support::eventually;

/// A finding has to last for a minute before it is announced.
const LIMIT: Duration = Duration::from_secs(120);

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, publishNotReadyAddresses: true, ports: [{port: 80}]}
";

fn deployment(name: &str, replicas: usize) -> String {
    let image = shell_image();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  \
         replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    \
         metadata: {{labels: {{app: {name}}}}}\n    spec: {{terminationGracePeriodSeconds: 1, \
         containers: [{{name: app, image: {image}, imagePullPolicy: IfNotPresent, \
         command: [sleep, infinity]}}]}}\n"
    )
}

/// The lines of the metrics of all replicas that name the namespace, and how many replicas lead.
async fn shown(client: &Client, namespace: &str) -> Result<(Vec<String>, usize)> {
    let (mut lines, mut leaders) = (Vec::new(), 0);
    for metrics in admin(client, "metrics").await? {
        let of_namespace = format!("namespace=\"{namespace}\"");
        let found = metrics.lines().filter(|line| line.contains(&of_namespace));
        lines.extend(found.map(str::to_owned));
        leaders += metrics.lines().filter(|line| *line == "apisix_prestop_leading 1").count();
    }
    Ok((lines, leaders))
}

async fn await_shown(client: &Client, namespace: &str, expected: &[String]) -> Result<()> {
    eventually(&format!("the metrics to show {expected:?}"), LIMIT, async || {
        let (lines, leaders) = shown(client, namespace).await?;
        ensure!(leaders == 1, "{leaders} replicas lead");
        ensure!(lines == expected, "they show {lines:?}");
        Ok(())
    })
    .await?;
    Ok(())
}

/// The Events about Pods without a sleep: kind and name of what each is about, and its note.
async fn events(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    let events = events.list(&ListParams::default()).await?.items;
    let ours = events.into_iter().filter(|event| event.action.as_deref() == Some("Watching"));
    let mut texts: Vec<_> = ours
        .map(|event| {
            let about = event.regarding.unwrap_or_default();
            ensure!(about.uid.is_some(), "kubectl describe finds an Event by the UID: {about:?}");
            let text = |text: Option<String>| text.unwrap_or_default();
            let (reason, note) = (text(event.reason), text(event.note));
            Ok(format!("{reason} {}/{}: {note}", text(about.kind), text(about.name)))
        })
        .collect::<Result<_>>()?;
    texts.sort();
    Ok(texts)
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn pods_that_become_upstreams_without_a_sleep_are_counted_and_told_once() -> Result<()> {
    with_namespace("unprotected", "team: shop", async |client, namespace| {
        // The Pods are there before the namespace opts in, and before the route.
        for (name, replicas) in [("web", 2), ("worker", 1)] {
            apply(namespace, &deployment(name, replicas)).await?;
        }
        for name in ["web", "worker"] {
            kubectl(namespace, &["rollout", "status", "deployment", name, "--timeout=90s"]).await?;
        }
        apply(namespace, SERVICE).await?;
        apply(namespace, WEB_INGRESS).await?;
        let gauge = |name: &str, reason: &str, count: usize| {
            format!(
                "apisix_prestop_{name}{{namespace=\"{namespace}\",reason=\"{reason}\"}} {count}"
            )
        };
        await_shown(&client, namespace, &[]).await?;
        run("kubectl", &["label", "namespace", namespace, "apisix-prestop/inject=enabled"]).await?;
        let limited = gauge("limited_upstreams", "not_ready_addresses", 1);
        let unprotected = gauge("unprotected_pods", "created_before_opt_in", 2);
        await_shown(&client, namespace, &[unprotected, limited.clone()]).await?;

        let expected = vec![
            format!(
                "CreatedBeforeOptIn Deployment/web: 2 Pods do not wait before they stop (upstream of \
                 Ingress {namespace}/web via Service web): created before the namespace opted in; \
                 try: kubectl -n {namespace} rollout restart deployment/web"
            ),
            "NotReadyAddresses Service/web: publishNotReadyAddresses: its Pods get requests until \
             they are gone, whatever they sleep"
                .to_owned(),
        ];
        eventually("the Events", LIMIT, async || {
            let found = events(&client, namespace).await?;
            ensure!(found == expected, "there are {found:#?}");
            Ok(())
        })
        .await?;
        let described =
            run("kubectl", &["-n", namespace, "describe", "deployment", "web"]).await?.stdout;
        ensure!(
            described.contains("CreatedBeforeOptIn"),
            "kubectl describe does not show it: {described}"
        );

        // Another replica takes over, and says nothing twice.
        let leases = Api::<Lease>::namespaced(client.clone(), NAME);
        let holder = async || {
            let lease = leases.get(NAME).await?;
            let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
            anyhow::Ok(holder)
        };
        let first = holder().await?;
        kubectl(NAME, &["delete", "pod", &first, "--wait=false"]).await?;
        eventually("another replica to hold the Lease", LIMIT, async || {
            let now = holder().await?;
            ensure!(!now.is_empty() && now != first, "{now:?} holds it");
            Ok(())
        })
        .await?;
        await_shown(
            &client,
            namespace,
            &[gauge("unprotected_pods", "created_before_opt_in", 2), limited.clone()],
        )
        .await?;

        // As the Event says.
        kubectl(namespace, &["rollout", "restart", "deployment/web"]).await?;
        kubectl(namespace, &["rollout", "status", "deployment", "web", "--timeout=90s"]).await?;
        await_shown(&client, namespace, &[limited]).await?;
        tokio::time::sleep(Duration::from_secs(70)).await;
        let found = events(&client, namespace).await?;
        ensure!(found == expected, "each is told once: {found:#?}");
        Ok(())
    })
    .await
}
