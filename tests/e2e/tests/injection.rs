//! The webhook's responses on the real API server.
//!
//! The Pods are created with a server-side dry run: admission and validation are the real ones,
//! and nothing has to be scheduled.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{repository, run, run_with_input},
    installation::{self, NAME},
    namespace::{OPTED_IN, with_namespace},
};
use axum::http::Request;
use futures::StreamExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use support::{cases, eventually};

/// Longer than the API server takes to reach new replicas, and the replicas to write an Event.
const LIMIT: Duration = Duration::from_secs(30);

fn pod(metadata: Value, spec: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    });
    for (key, patch) in [("metadata", metadata), ("spec", spec)] {
        for (name, value) in patch.as_object().unwrap() {
            pod[key][name] = value.clone();
        }
    }
    pod
}

fn annotated(delay: &str) -> Value {
    json!({"annotations": {"apisix-prestop/delay": delay}})
}

fn sleep(seconds: u32) -> Value {
    json!({"sleep": {"seconds": seconds}})
}

/// The Pod as it would be stored.
async fn admitted(namespace: &str, pod: &Value) -> Result<Value> {
    let args = ["-n", namespace, "create", "--dry-run=server", "-o", "json", "-f", "-"];
    let output = run_with_input("kubectl", &args, &pod.to_string()).await;
    let output = output.with_context(|| format!("rejected: {pod:#}"))?;
    Ok(serde_json::from_str(&output.stdout)?)
}

/// Its containers' preStop hooks and its grace period.
fn hooks(pod: &Value) -> (Vec<Value>, i64) {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let hooks = containers.iter().map(|c| c["lifecycle"]["preStop"].clone()).collect();
    (hooks, pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap())
}

/// Creates the Pod with a dry run: the Pod as it would be stored, and the warnings.
async fn create(client: &Client, namespace: &str, pod: &Value) -> Result<(Value, Vec<String>)> {
    let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Body::from(serde_json::to_vec(pod)?))?;
    let response = client.send(request).await?;
    let warnings = response.headers().get_all("warning").iter();
    let warnings = warnings.filter_map(|warning| warning_text(warning.to_str().ok()?)).collect();
    let status = response.status();
    let body = response.into_body().collect_bytes().await?;
    ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    Ok((serde_json::from_slice(&body)?, warnings))
}

/// The text in a `Warning` header, such as `299 - "what \"it\" says"`.
fn warning_text(header: &str) -> Option<String> {
    let quoted = header.split_once('"')?.1.strip_suffix('"')?;
    let mut characters = quoted.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}

#[test]
fn the_text_of_a_warning_is_read() {
    let header = r#"299 - "delay: \"5 \\ min\" is odd""#;
    assert_eq!(warning_text(header).unwrap(), r#"delay: "5 \ min" is odd"#);
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_case_comes_out_as_it_says() -> Result<()> {
    // Without values, the chart is installed already.
    let policies = cases::by_chart_values().unwrap();
    with_namespace("cases", OPTED_IN, async |client, namespace| {
        let mut faults = Vec::new();
        for (values, cases) in &policies {
            if !values.is_empty() {
                let values: Vec<_> = values.iter().map(String::as_str).collect();
                installation::install(&client, &values).await?;
            }
            let count = cases.len();
            let answers = futures::stream::iter(cases).map(async |case| {
                let created = create(&client, namespace, &case.pod_for_api_server()).await;
                match created {
                    Ok((stored, warnings)) => case.check_stored(&stored, &warnings),
                    Err(error) => Err(format!("{}: {}\n{error:#}\n", case.name, case.why)),
                }
            });
            let answers = answers.buffer_unordered(8).collect::<Vec<_>>().await;
            let failed: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
            println!("cases: {count} with {values:?}, {} failed", failed.len());
            faults.extend(failed);
        }
        installation::install(&client, &[]).await?;
        assert!(faults.is_empty(), "{} cases failed:\n{}", faults.len(), faults.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_namespace_that_has_not_opted_in_is_left_alone() -> Result<()> {
    for labels in ["", "apisix-prestop/inject: disabled"] {
        with_namespace("left-alone", labels, async |_, namespace| {
            let admitted = admitted(namespace, &pod(annotated("20s"), json!({}))).await?;
            assert_eq!(hooks(&admitted), (vec![Value::Null], 30), "labels {labels:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn in_its_own_namespace_only_its_own_pods_are_left_alone() -> Result<()> {
    with_namespace("own", "", async |_, _| {
        run("kubectl", &["label", "namespace", NAME, "apisix-prestop/inject=true"]).await?;
        let own = json!({"labels": {"app.kubernetes.io/name": NAME}});
        let own = admitted(NAME, &pod(own, json!({}))).await;
        let other = admitted(NAME, &pod(json!({}), json!({}))).await;
        run("kubectl", &["label", "namespace", NAME, "apisix-prestop/inject-"]).await?;
        assert_eq!(hooks(&own?), (vec![Value::Null], 30));
        assert_eq!(hooks(&other?), (vec![json!({"sleep": {"seconds": 5}})], 30));
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn other_objects_can_be_created_and_pods_deleted() -> Result<()> {
    with_namespace("others", OPTED_IN, async |_, namespace| {
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
        run_with_input("kubectl", &["-n", namespace, "apply", "-f", "-"], config).await?;
        let never = pod(json!({}), json!({"nodeName": "nowhere"}));
        let apply = ["-n", namespace, "apply", "-f", "-"];
        run_with_input("kubectl", &apply, &never.to_string()).await?;
        run("kubectl", &["-n", namespace, "label", "pod", "web", "a=b"]).await?;
        let delete = ["-n", namespace, "delete", "pod", "web", "--grace-period=0", "--force"];
        run("kubectl", &delete).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn with_no_webhook_pod_left_pods_are_still_created() -> Result<()> {
    with_namespace("fail-open", OPTED_IN, async |_, namespace| {
        let scale = |replicas: &'static str| async move {
            let replicas = format!("--replicas={replicas}");
            let deployment = ["-n", NAME, "scale", "deployment", NAME, &replicas];
            run("kubectl", &deployment).await
        };
        scale("0").await?;
        let gone = ["-n", NAME, "wait", "--for=delete", "pod", "--all", "--timeout=60s"];
        run("kubectl", &gone).await?;
        let without = admitted(namespace, &pod(json!({}), json!({}))).await;
        scale("2").await?;
        let ready = ["-n", NAME, "rollout", "status", "deployment", NAME, "--timeout=60s"];
        run("kubectl", &ready).await?;
        installation::await_answer().await?;
        assert_eq!(hooks(&without?), (vec![Value::Null], 30), "failurePolicy is Ignore");
        let with = admitted(namespace, &pod(json!({}), json!({}))).await?;
        assert_eq!(hooks(&with), (vec![sleep(5)], 30), "it works again");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_values_of_the_chart_reach_the_pods() -> Result<()> {
    with_namespace("values", OPTED_IN, async |client, namespace| {
        let values = ["injection.delay=7s", "injection.shutdownReserve=40", "injection.hook=exec"];
        installation::install(&client, &values).await?;
        let admitted = admitted(namespace, &pod(json!({}), json!({}))).await;
        installation::install(&client, &[]).await?;
        let exec = json!({"exec": {"command": ["/bin/sh", "-c", "sleep 7"]}});
        assert_eq!(hooks(&admitted?), (vec![exec], 47));
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn it_has_no_right_that_it_does_not_use() -> Result<()> {
    with_namespace("rights", "", async |_, _| {
        let account = format!("--as=system:serviceaccount:{NAME}:{NAME}");
        for (verb, resource, expected) in [
            ("list", "nodes", "yes"),
            ("get", "/version", "yes"),
            ("list", "pods", "yes"),
            ("watch", "pods", "yes"),
            ("get", "pods", "no"),
            ("create", "pods", "no"),
            ("get", "replicasets.apps", "yes"),
            ("list", "replicasets.apps", "no"),
            ("get", "deployments.apps", "no"),
            ("create", "leases.coordination.k8s.io", "yes"),
            ("get", "leases.coordination.k8s.io", "no"),
            ("get", "leases.coordination.k8s.io/apisix-prestop", "yes"),
            ("patch", "leases.coordination.k8s.io/apisix-prestop", "yes"),
            ("delete", "leases.coordination.k8s.io/apisix-prestop", "no"),
            ("create", "secrets", "no"),
            ("get", "secrets", "no"),
            ("get", "secrets/apisix-prestop-tls", "yes"),
            ("update", "secrets/apisix-prestop-tls", "yes"),
            ("delete", "secrets/apisix-prestop-tls", "no"),
            ("patch", "mutatingwebhookconfigurations", "no"),
            ("patch", "mutatingwebhookconfigurations/apisix-prestop", "yes"),
            ("update", "mutatingwebhookconfigurations/apisix-prestop", "no"),
            ("get", "nodes", "no"),
            ("list", "namespaces", "yes"),
            ("watch", "namespaces", "yes"),
            ("get", "namespaces", "no"),
            ("list", "services", "yes"),
            ("watch", "services", "yes"),
            ("get", "services", "no"),
            ("list", "endpointslices.discovery.k8s.io", "no"),
            ("list", "ingresses.networking.k8s.io", "yes"),
            ("watch", "ingressclasses.networking.k8s.io", "yes"),
            ("update", "ingresses.networking.k8s.io", "no"),
            ("create", "events.events.k8s.io", "yes"),
            ("patch", "events.events.k8s.io", "yes"),
            ("list", "events.events.k8s.io", "no"),
        ] {
            // `can-i` exits with 1 for a no.
            let question =
                format!("kubectl auth can-i {verb} {resource} -n {NAME} {account} || true");
            let answer = run("sh", &["-c", &question]).await?.stdout;
            assert_eq!(answer.trim(), expected, "may it {verb} {resource}?");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn metrics_tell_what_was_done() -> Result<()> {
    with_namespace("metrics", OPTED_IN, async |client, namespace| {
        admitted(namespace, &pod(json!({}), json!({}))).await?;
        let mut injected = 0;
        for page in installation::admin(&client, "metrics").await? {
            assert!(page.contains("apisix_prestop_hook{hook=\"sleep\"} 1"), "{page}");
            let series =
                "apisix_prestop_reviews_total{outcome=\"inject\",reason=\"hook_missing\"} ";
            let count = page.lines().find_map(|line| line.strip_prefix(series));
            injected += count.with_context(|| format!("no {series} in {page}"))?.parse::<u64>()?;
        }
        assert!(injected >= 1, "the review of this test has to be counted somewhere");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_warning_about_a_controllers_pod_is_an_event_on_the_controller() -> Result<()> {
    with_namespace("events", OPTED_IN, async |_, namespace| {
        let faults = json!({
            "apisix-prestop/delay": "soon",
            "apisix-prestop/shutdown-reserve": "later",
        });
        let template = pod(json!({"annotations": faults}), json!({"nodeName": "nowhere"}));
        let (mut metadata, spec) = (template["metadata"].clone(), template["spec"].clone());
        metadata["labels"] = json!({"app": "web"});
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": metadata, "spec": spec},
            },
        });
        let apply = ["-n", namespace, "apply", "-f", "-"];
        run_with_input("kubectl", &apply, &set.to_string()).await?;
        let of_set = "involvedObject.kind=ReplicaSet,reason=AnnotationMalformed";
        let events = ["-n", namespace, "get", "events", "-o", "json", "--field-selector", of_set];
        let messages = [
            "apisix-prestop/delay: \"soon\" is not a time from 0s to 5m, such as 15s; using 5s",
            "apisix-prestop/shutdown-reserve: \"later\" is not a time from 0s to 1h, such as 15s; \
             using 10s",
        ];
        let seen = eventually("Events about the ReplicaSet", LIMIT, async || {
            let seen: Value = serde_json::from_str(&run("kubectl", &events).await?.stdout)?;
            let items = seen["items"].as_array().unwrap();
            for message in messages {
                let message = format!("{message} (target: no Service)");
                let has = items.iter().any(|event| event["message"] == message);
                ensure!(has, "no Event {message:?} in {seen:#}");
            }
            Ok(seen)
        })
        .await?;
        for event in seen["items"].as_array().unwrap() {
            assert_eq!(event["type"], "Warning", "{seen:#}");
            assert_eq!(event["involvedObject"]["name"], "web", "{seen:#}");
        }
        // Two replicas of the webhook, two faults and three Pods: at most one Event of each replica
        // about each fault.
        assert!(seen["items"].as_array().unwrap().len() <= 4, "deduplicated: {seen:#}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn in_observe_mode_no_pod_is_changed() -> Result<()> {
    with_namespace("observe", OPTED_IN, async |client, namespace| {
        let observe = installation::install_silent(&client, &["mode=observe"]).await;
        let selector = "app.kubernetes.io/name=apisix-prestop";
        let log = ["-n", NAME, "logs", "--tail=20", "-l", selector];
        // The API server may take a moment to reach the new replicas.
        let mut admissions = Vec::new();
        let told = eventually("the log to say would_inject", LIMIT, async || {
            admissions.push(admitted(namespace, &pod(json!({}), json!({}))).await?);
            let log = run("kubectl", &log).await?.stdout;
            ensure!(log.contains("\"decision\":\"would_inject\""), "{log}");
            Ok(())
        })
        .await;
        installation::install(&client, &[]).await?;
        observe?;
        told?;
        for admitted in admissions {
            assert_eq!(hooks(&admitted), (vec![Value::Null], 30), "{admitted:#}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn none_of_the_pods_of_popular_charts_is_rejected() -> Result<()> {
    with_namespace("charts", OPTED_IN, async |_, namespace| {
        let pods = repository().join("tests/pods");
        let pods = pods.to_str().context("the path is not UTF-8")?;
        let create = ["-n", namespace, "create", "--dry-run=server", "-o", "name", "-f", pods];
        let created = run("kubectl", &create).await?.stdout.lines().count();
        assert!(created >= 30, "only {created} Pods were created");
        Ok(())
    })
    .await
}
