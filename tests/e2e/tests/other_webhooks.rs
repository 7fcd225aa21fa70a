//! Other webhooks before and after ours on the real API server: no Pod is rejected that is admitted
//! without us, and a second and a third look find nothing to do.
//!
//! The other webhooks run in this process. A Pod names by labels what they do to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use apisix_prestop::{
    constants::INJECTED_ANNOTATION,
    server::{ConnectionMetrics, ListenerOptions, accept, bind},
    tls::{ServedCertificate, certified_key, server_config},
};
use apisix_prestop_e2e::{
    dry_run::dry_run,
    namespace::{self, OPTED_IN, with_namespace},
    program::check,
    replica,
};
use axum::{
    Router, body::Bytes, extract::Path, http::header::CONTENT_TYPE, response::IntoResponse,
    routing::post,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::StreamExt;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration as Configuration;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use support::{
    eventually, generator,
    other_webhook::{Other, is_beyond_us, other},
};
use tokio_util::sync::{CancellationToken, DropGuard};

const PODS: usize = 200;
/// Webhook configurations are called in the order of their names, and ours is `apisix-prestop`.
const CONFIGURATIONS: [(&str, [&str; 2]); 2] =
    [("a-others", ["first", "second"]), ("z-others", ["third", "fourth"])];

/// The label that names what the webhook at `place` does to a Pod.
fn label(place: &str) -> String {
    format!("other-webhooks/{place}")
}

/// The answer of the webhook at `place`.
async fn answer(Path(place): Path<String>, body: Bytes) -> impl IntoResponse {
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let before = &review["request"]["object"];
    let mut after = before.clone();
    let what = before["metadata"]["labels"][label(&place)].as_str().unwrap_or_default();
    if let Ok(other) = what.parse::<Other>() {
        other.call(&mut after);
    }
    patched(&review, before, &after)
}

/// Removes every hook.
async fn strip(body: Bytes) -> impl IntoResponse {
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let before = &review["request"]["object"];
    let mut after = before.clone();
    for container in after["spec"]["containers"].as_array_mut().into_iter().flatten() {
        container.as_object_mut().map(|container| container.remove("lifecycle"));
    }
    patched(&review, before, &after)
}

fn patched(review: &Value, before: &Value, after: &Value) -> impl IntoResponse + use<> {
    let patch = serde_json::to_vec(&json_patch::diff(before, after)).unwrap_or_default();
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"], "allowed": true,
            "patchType": "JSONPatch", "patch": BASE64_STANDARD.encode(patch),
        },
    });
    ([(CONTENT_TYPE, "application/json")], answer.to_string())
}

/// Serves the other webhooks until the guard is dropped, and returns the CA too.
fn serve() -> Result<(SocketAddr, String, DropGuard)> {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let served = ServedCertificate::new(certified_key(certificate.as_bytes(), key.as_bytes())?);
    let listener = bind("--listen", "127.0.0.1:0".parse()?)?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let options = ListenerOptions {
        tls: Some(Arc::new(server_config(served, None)?)),
        max_connections: 1000,
        metrics: ConnectionMetrics::default(),
        stop: stop.clone(),
        drain_timeout: Duration::ZERO,
    };
    let router = Router::new().route("/{place}", post(answer)).route("/strip", post(strip));
    tokio::spawn(accept(listener, router, options));
    Ok((address, certificate, stop.drop_guard()))
}

/// A webhook for the namespaces with the label `labelled`.
fn webhook(place: &str, address: SocketAddr, ca: &str, labelled: &str) -> Value {
    json!({
        "name": format!("{place}.others.svc"),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "clientConfig": {
            "url": format!("https://{address}/{place}"),
            "caBundle": BASE64_STANDARD.encode(ca),
        },
        "rules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
            "operations": ["CREATE"],
        }],
        "namespaceSelector": {"matchLabels": {labelled: "yes"}},
    })
}

/// Registers the other webhooks for the namespaces with `label`.
async fn register(client: &Client, address: SocketAddr, ca: &str, labelled: &str) -> Result<()> {
    let configurations = Api::<Configuration>::all(client.clone());
    for (name, places) in CONFIGURATIONS {
        let webhooks = places.map(|place| {
            let mut webhook = webhook(place, address, ca, labelled);
            webhook["objectSelector"] =
                json!({"matchExpressions": [{"key": label(place), "operator": "Exists"}]});
            webhook
        });
        let configuration = json!({"metadata": {"name": name}, "webhooks": webhooks});
        let configuration = serde_json::from_value(configuration)?;
        configurations.create(&PostParams::default(), &configuration).await?;
    }
    Ok(())
}

async fn unregister(client: &Client) -> Result<()> {
    let configurations = Api::<Configuration>::all(client.clone());
    for (name, _) in CONFIGURATIONS {
        configurations.delete(name, &DeleteParams::default()).await?;
    }
    Ok(())
}

/// The Pod as it would be stored, so that it can be created again.
async fn look(client: &Client, namespace: &str, pod: &Value) -> Result<Value, String> {
    let stored = dry_run(client, namespace, pod).await?;
    let mut pod = serde_json::to_value(stored).map_err(|error| error.to_string())?;
    // What only an object of the cluster has.
    pod["status"] = Value::Null;
    for field in ["uid", "creationTimestamp", "managedFields", "namespace", "generation"] {
        pod["metadata"][field] = Value::Null;
    }
    Ok(pod)
}

/// What we may have changed.
fn ours(pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let hooks: Vec<_> =
        containers.iter().map(|container| (&container["name"], &container["lifecycle"])).collect();
    json!({
        "hooks": hooks,
        "grace": pod["spec"]["terminationGracePeriodSeconds"],
        "record": pod["metadata"]["annotations"][INJECTED_ANNOTATION],
    })
}

/// A Pod, and what the four other webhooks do to it.
fn pod_and_others() -> impl Strategy<Value = (Value, Vec<Option<Other>>)> {
    let others = vec(proptest::option::weighted(0.6, other()), 4);
    (generator::pod(), others).prop_filter("others that undo our last call", |(_, others)| {
        let before: Vec<_> = others[..2].iter().flatten().copied().collect();
        let all: Vec<_> = others.iter().flatten().copied().collect();
        !is_beyond_us(&all, before.len())
    })
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_is_rejected_and_no_look_changes_it_again() -> Result<()> {
    if !replica::are_possible() {
        println!("skipped: the API server of CLUSTER=existing cannot call this process");
        return Ok(());
    }
    let labels = format!("{OPTED_IN}, other-webhooks: \"yes\"");
    with_namespace("others", &labels, async |client, with| {
        let without = format!("{with}-without");
        namespace::create(&without, "other-webhooks: \"yes\"").await?;
        let (address, ca, _serving) = serve()?;
        register(&client, address, &ca, "other-webhooks").await?;
        let result = look_at_all(&client, &without, with).await;
        unregister(&client).await?;
        let delete = ["delete", "namespace", &without, "--wait=false"];
        apisix_prestop_e2e::command::run("kubectl", &delete).await?;
        result
    })
    .await
}

async fn look_at_all(client: &Client, without: &str, with: &str) -> Result<()> {
    let mut runner = TestRunner::default();
    let strategy = pod_and_others();
    let pods: Vec<_> =
        (0..PODS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let looks = futures::stream::iter(pods).map(async |(mut pod, others)| {
        let places = CONFIGURATIONS.iter().flat_map(|(_, places)| places);
        for (place, other) in places.zip(&others) {
            if let Some(other) = other {
                pod["metadata"]["labels"][label(place)] = other.to_string().into();
            }
        }
        let expected = look(client, without, &pod).await;
        let first = look(client, with, &pod).await;
        let (mut second, mut third) = (first.clone(), first.clone());
        if let Ok(first) = &first {
            second = look(client, with, first).await;
        }
        if let Ok(second) = &second {
            third = look(client, with, second).await;
        }
        (pod, others, expected, [first, second, third])
    });
    let (mut admitted, mut injected) = (0, 0);
    for (pod, others, expected, looks) in looks.buffer_unordered(8).collect::<Vec<_>>().await {
        if expected.is_err() {
            continue;
        }
        admitted += 1;
        let mut after = Vec::new();
        for (number, look) in looks.into_iter().enumerate() {
            let look = look.map_err(anyhow::Error::msg).with_context(|| {
                format!("admitted without us, and rejected with us at look {number}:\n{pod:#}")
            })?;
            after.push(ours(&look));
        }
        injected += usize::from(!after[0]["record"].is_null());
        // Where a webhook drops annotations, a look that finds nothing to do leaves no record.
        if others.contains(&Some(Other::Annotations)) {
            after.iter_mut().for_each(|look| look["record"] = Value::Null);
        }
        assert_eq!(after[1], after[2], "the third look changes something:\n{pod:#}");
    }
    println!("{PODS} Pods, {admitted} admitted without us, {injected} with our record");
    assert!(admitted > PODS / 2, "too few of the generated Pods are valid: {admitted}");
    assert!(injected > PODS / 8, "too few of the generated Pods were injected: {injected}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn check_names_the_webhook_that_removes_the_hook() -> Result<()> {
    if !replica::are_possible() {
        println!("skipped: the API server of CLUSTER=existing cannot call this process");
        return Ok(());
    }
    let labels = format!("{OPTED_IN}, strips: \"yes\"");
    with_namespace("stripped", &labels, async |client, namespace| {
        const NAME: &str = "z-strips";
        let (address, ca, _serving) = serve()?;
        let webhooks = [webhook("strip", address, &ca, "strips")];
        let configuration = json!({"metadata": {"name": NAME}, "webhooks": webhooks});
        let configurations = Api::<Configuration>::all(client);
        let configuration = serde_json::from_value(configuration)?;
        configurations.create(&PostParams::default(), &configuration).await?;
        let line =
            format!("namespace {namespace}: MutatingWebhookConfiguration {NAME} removes the hook");
        let checked = eventually("check to name it", Duration::from_secs(30), async || {
            let checked = check(&["-n", namespace]).await?;
            anyhow::ensure!(checked.report.contains(&line), "no {line:?} in:\n{}", checked.report);
            anyhow::ensure!(checked.code == 1, "exit code {}", checked.code);
            Ok(())
        });
        let checked = checked.await;
        configurations.delete(NAME, &DeleteParams::default()).await?;
        Ok(checked?)
    })
    .await
}
