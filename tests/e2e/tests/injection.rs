//! What the real API server makes of the webhook's answers.
//!
//! The Pods are created with a server-side dry run: admission and validation are the real ones,
//! and nothing has to be scheduled.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{Output, repository, run, run_with_input},
    installation::{self, NAME},
    namespace::{OPTED_IN, with_namespace},
};
use serde_json::{Value, json};
use support::eventually;

/// Longer than the API server takes to hear of new replicas, and they to write an Event.
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

async fn dry_run(namespace: &str, pod: &Value) -> Result<Output> {
    let args = ["-n", namespace, "create", "--dry-run=server", "-o", "json", "-f", "-"];
    run_with_input("kubectl", &args, &pod.to_string()).await
}

/// The Pod as it would be stored.
async fn admitted(namespace: &str, pod: &Value) -> Result<Value> {
    let output = dry_run(namespace, pod).await.with_context(|| format!("rejected: {pod:#}"))?;
    Ok(serde_json::from_str(&output.stdout)?)
}

/// Its containers' preStop hooks and its grace period.
fn hooks(pod: &Value) -> (Vec<Value>, i64) {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let hooks = containers.iter().map(|c| c["lifecycle"]["preStop"].clone()).collect();
    (hooks, pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn an_opted_in_namespace_gets_what_the_truth_table_says() -> Result<()> {
    let own = json!({"exec": {"command": ["/quit"]}});
    let two = json!([
        {"name": "app", "image": "none", "lifecycle": {"preStop": own}},
        {"name": "logs", "image": "none", "lifecycle": {"postStart": own}},
    ]);
    let cases = [
        ("a plain Pod", pod(json!({}), json!({})), vec![sleep(5)], 30),
        ("a delay of its own", pod(annotated("20s"), json!({})), vec![sleep(20)], 30),
        ("a delay that needs more grace", pod(annotated("1m30s"), json!({})), vec![sleep(90)], 100),
        (
            "a short grace period",
            pod(json!({}), json!({"terminationGracePeriodSeconds": 3})),
            vec![sleep(5)],
            15,
        ),
        (
            "no grace period",
            pod(json!({}), json!({"terminationGracePeriodSeconds": 0})),
            vec![sleep(5)],
            15,
        ),
        ("a typo", pod(annotated("soon"), json!({})), vec![sleep(5)], 30),
        ("more than the maximum", pod(annotated("1000000"), json!({})), vec![sleep(300)], 310),
        ("no delay", pod(annotated("0"), json!({})), vec![Value::Null], 30),
        (
            "opted out",
            pod(json!({"labels": {"apisix-prestop/inject": "disabled"}}), json!({})),
            vec![Value::Null],
            30,
        ),
        (
            "opted out with false",
            pod(json!({"labels": {"apisix-prestop/inject": "false"}}), json!({})),
            vec![Value::Null],
            30,
        ),
        (
            "a hook on one container and none on the next",
            pod(json!({}), json!({"containers": two})),
            vec![own, sleep(5)],
            30,
        ),
        (
            "a native sidecar",
            pod(
                json!({}),
                json!({"initContainers":
                    [{"name": "mesh", "image": "none", "restartPolicy": "Always"}]}),
            ),
            vec![sleep(5)],
            30,
        ),
    ];
    with_namespace("opted-in", OPTED_IN, async |_, namespace| {
        for (case, pod, expected, grace) in cases {
            let admitted = admitted(namespace, &pod).await?;
            assert_eq!(hooks(&admitted), (expected, grace), "{case}: {admitted:#}");
            let init = &admitted["spec"]["initContainers"][0]["lifecycle"];
            assert_eq!(*init, Value::Null, "{case}: init containers are left alone");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_typo_in_an_annotation_shows_as_a_warning() -> Result<()> {
    with_namespace("warning", OPTED_IN, async |_, namespace| {
        let output = dry_run(namespace, &pod(annotated("5 min"), json!({}))).await?;
        let warning = "Warning: apisix-prestop/delay: \"5 min\" is not a time from 0s to 5m, \
                       such as 15s; using 5s";
        assert!(output.stderr.contains(warning), "expected {warning:?} in {:?}", output.stderr);
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
async fn its_own_namespace_is_left_alone_even_when_it_carries_the_label() -> Result<()> {
    with_namespace("own", "", async |_, _| {
        run("kubectl", &["label", "namespace", NAME, "apisix-prestop/inject=enabled"]).await?;
        let admitted = admitted(NAME, &pod(json!({}), json!({}))).await;
        run("kubectl", &["label", "namespace", NAME, "apisix-prestop/inject-"]).await?;
        assert_eq!(hooks(&admitted?), (vec![Value::Null], 30));
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
            ("list", "pods", "no"),
            ("create", "secrets", "yes"),
            ("get", "secrets", "no"),
            ("get", "secrets/apisix-prestop-tls", "yes"),
            ("update", "secrets/apisix-prestop-tls", "yes"),
            ("delete", "secrets/apisix-prestop-tls", "no"),
            ("patch", "mutatingwebhookconfigurations", "no"),
            ("patch", "mutatingwebhookconfigurations/apisix-prestop", "yes"),
            ("update", "mutatingwebhookconfigurations/apisix-prestop", "no"),
            ("get", "nodes", "no"),
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
        let pods = ["-n", NAME, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}"];
        let mut injected = 0;
        for name in run("kubectl", &pods).await?.stdout.split_whitespace() {
            let path = format!("/api/v1/namespaces/{NAME}/pods/{name}:8080/proxy/metrics");
            let request = axum::http::Request::get(path).body(Vec::new())?;
            let page = client.request_text(request).await?;
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
        let template = pod(annotated("soon"), json!({"nodeName": "nowhere"}));
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
        let seen = eventually("an Event about the ReplicaSet", LIMIT, async || {
            let seen: Value = serde_json::from_str(&run("kubectl", &events).await?.stdout)?;
            ensure!(!seen["items"].as_array().unwrap().is_empty(), "there is none");
            Ok(seen)
        })
        .await?;
        let event = &seen["items"][0];
        assert_eq!(event["type"], "Warning", "{seen:#}");
        assert_eq!(event["involvedObject"]["name"], "web", "{seen:#}");
        let message =
            "apisix-prestop/delay: \"soon\" is not a time from 0s to 5m, such as 15s; using 5s";
        assert_eq!(event["message"], message, "{seen:#}");
        // Two replicas of the webhook, and three Pods: one Event of each replica at the most.
        assert!(seen["items"].as_array().unwrap().len() <= 2, "deduplicated: {seen:#}");
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
