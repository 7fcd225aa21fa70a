//! `apisix-prestop check`: what it says of a cluster, as truth tables and by the real binary.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use apisix_prestop::{
    constants::WEBHOOK_PORT,
    injection::{GracePolicy, Policy},
    preflight::{
        ApiServerFacts, CheckId,
        CheckStatus::{self, Failure, Pass, Skipped, Warning},
        DryRun, Listed, NodeFacts, PreflightFacts as Facts, PreflightReport, ReleaseFacts,
        RightFacts, ServedFacts, ServedValidity, settings_of,
    },
    tls::{ServedCertificate, certified_key, server_config},
    units::{Delay, ShutdownReserve},
};
use axum::{
    Router,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{
            CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
            SEC_WEBSOCKET_PROTOCOL, UPGRADE,
        },
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use rstest::rstest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strum::VariantArray;
use support::repository;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use super::{manifests::Run, schema};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn listed<T: DeserializeOwned>(items: &[Value]) -> Listed<T> {
    Listed { items: items.iter().cloned().map(read).collect(), missing: None }
}

fn unread<T>() -> Listed<T> {
    Listed { items: Vec::new(), missing: Some("forbidden".to_owned()) }
}

// ---- The objects of a cluster ------------------------------------------------------------------

/// As the chart writes it.
fn configuration(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {
            "app.kubernetes.io/name": "apisix-prestop", "app.kubernetes.io/instance": name,
        }},
        "webhooks": [{
            "name": "inject.apisix-prestop.svc",
            "clientConfig": {
                "service": {"name": name, "namespace": name, "path": "/inject", "port": 443},
            },
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                "operations": ["CREATE"], "scope": "Namespaced",
            }],
            "failurePolicy": "Ignore",
            "namespaceSelector": {"matchLabels": {}, "matchExpressions": [
                {"key": "apisix-prestop/inject", "operator": "In", "values": ["enabled", "true"]},
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]},
            ]},
            "objectSelector": {"matchLabels": {}, "matchExpressions": [
                {"key": "apisix-prestop/inject", "operator": "NotIn", "values": ["disabled", "false"]},
                {"key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["apisix-prestop"]},
            ]},
        }],
    })
}

/// A webhook of somebody else that sees all Pods.
fn other(name: &str, reinvocation: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "webhooks": [{
            "name": "other.example.com",
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "operations": ["CREATE", "UPDATE"]}],
            "reinvocationPolicy": reinvocation,
        }],
    })
}

fn namespace(name: &str, labels: Value) -> Value {
    let mut namespace = json!({"metadata": {"name": name, "labels": labels}});
    namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.into();
    namespace
}

fn opted_in(name: &str) -> Value {
    namespace(name, json!({"apisix-prestop/inject": "enabled"}))
}

fn replica(name: &str, image: &str, version: &str, ready: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {
            "app.kubernetes.io/name": "apisix-prestop", "app.kubernetes.io/version": version,
        }},
        "spec": {"containers": [{"image": image}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn deployment(args: &[&str]) -> Value {
    json!({
        "metadata": {"name": "apisix-prestop"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"args": args}]}}},
    })
}

/// The Pod of a dry run, with and without what the webhook adds.
fn pod(hook: bool, record: bool, grace: i64) -> Value {
    let lifecycle = if hook { json!({"preStop": {"sleep": {"seconds": 5}}}) } else { json!({}) };
    let annotations = if record { json!({"apisix-prestop/injected": "app=5s"}) } else { json!({}) };
    json!({
        "metadata": {"annotations": annotations},
        "spec": {
            "containers": [{"name": "sidecar"}, {"name": "app", "lifecycle": lifecycle}],
            "terminationGracePeriodSeconds": grace,
        },
    })
}

fn policy(ports: Value) -> Value {
    json!({
        "metadata": {"name": "deny"},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "apisix-prestop"}},
            "policyTypes": ["Ingress"],
            "ingress": ports,
        },
    })
}

fn served(replica: &str, distrust: Option<&str>) -> ServedFacts {
    let now = SystemTime::UNIX_EPOCH + 1000 * DAY;
    let validity = ServedValidity {
        distrust: distrust.map(str::to_owned),
        not_before: now - DAY,
        not_after: now + 89 * DAY,
    };
    ServedFacts { replica: replica.to_owned(), certificate: Ok(validity) }
}

/// An installation in which all is well.
fn healthy() -> Facts {
    let pods = ["a", "b"].map(|name| replica(name, "apisix-prestop:0.1.0", "0.1.0", "True"));
    let release = ReleaseFacts {
        configuration: "apisix-prestop".to_owned(),
        namespace: "apisix-prestop".to_owned(),
        deployments: listed(&[deployment(&["serve"])]),
        pods: listed(&pods),
        network_policies: Listed::default(),
        bundle: Ok(1),
        served: vec![served("a", None), served("b", None)],
    };
    Facts {
        now: SystemTime::UNIX_EPOCH + 1000 * DAY,
        own_version: "0.1.0".to_owned(),
        is_pre: false,
        only_namespace: None,
        api_server: Ok(ApiServerFacts { version: "v1.36.1".to_owned(), minor: Some(36) }),
        api_groups: Ok(vec!["apps".to_owned()]),
        nodes: Listed { items: vec![node("v1.36.1", "kind://")], missing: None },
        rights: vec![right("list", "nodes", "", Ok(true))],
        configurations: listed(&[configuration("apisix-prestop")]),
        policies: Listed::default(),
        releases: vec![release],
        namespaces: listed(&[namespace("apisix-prestop", json!({})), opted_in("shop")]),
        workloads: Listed::default(),
        dry_runs: vec![dry_run(pod(true, true, 30))],
        dry_runs_left_out: 0,
    }
}

fn node(kubelet_version: &str, provider_id: &str) -> NodeFacts {
    NodeFacts {
        name: "n".to_owned(),
        kubelet_version: kubelet_version.to_owned(),
        knows_sleep: !kubelet_version.starts_with("v1.2"),
        provider_id: provider_id.to_owned(),
    }
}

fn right(
    verb: &'static str,
    resource: &'static str,
    namespace: &str,
    is_allowed: Result<bool, String>,
) -> RightFacts {
    RightFacts { verb, resource, namespace: namespace.to_owned(), is_allowed }
}

fn dry_run(pod: Value) -> DryRun {
    let opted_out = Ok(read(self::pod(false, false, 30)));
    DryRun { namespace: "shop".to_owned(), outcome: Ok(read(pod)), opted_out }
}

fn rejected(why: &str) -> DryRun {
    let outcome = Err(why.to_owned());
    DryRun { namespace: "shop".to_owned(), outcome: outcome.clone(), opted_out: outcome }
}

fn messages(report: &PreflightReport) -> String {
    let lines =
        report.checks.iter().map(|it| format!("{:?} {:?} {}\n", it.status, it.id, it.message));
    lines.collect()
}

// ---- The truth tables --------------------------------------------------------------------------

#[test]
fn all_is_well_with_a_healthy_installation() {
    let report = PreflightReport::of(&healthy());
    assert_eq!(report.status(), Pass, "{}", messages(&report));
    let hints: Vec<_> = report.checks.iter().filter_map(|it| it.hint.as_ref()).collect();
    assert!(hints.is_empty(), "what passes needs no help: {hints:?}");
}

/// Changes a healthy installation in one thing.
type Change = fn(&mut Facts);

fn serve(facts: &mut Facts, change: fn(&mut ReleaseFacts)) {
    change(&mut facts.releases[0]);
}

fn reconfigure(facts: &mut Facts, path: &str, value: Value) {
    let mut changed = configuration("apisix-prestop");
    *changed.pointer_mut(&format!("/webhooks/0{path}")).unwrap() = value;
    facts.configurations = listed(&[changed]);
}

/// An API server whose kubelets may know the native sleep or not.
fn older(facts: &mut Facts) {
    facts.api_server = Ok(ApiServerFacts { version: "v1.31.0".to_owned(), minor: Some(31) });
}

/// The policy of the chart.
fn engine_policy() -> Value {
    let webhook = &configuration("apisix-prestop")["webhooks"][0];
    json!({
        "metadata": {"name": "apisix-prestop", "labels": {"app.kubernetes.io/name": "apisix-prestop"}},
        "spec": {
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {
                "namespaceSelector": webhook["namespaceSelector"],
                "objectSelector": webhook["objectSelector"],
                "resourceRules": webhook["rules"],
            },
            "matchConditions": [{"name": "restarts-always", "expression": "true"}],
            "variables": [
                {"name": "defaultDelay", "expression": "7"},
                {"name": "maxDelay", "expression": "60"},
                {"name": "defaultReserve", "expression": "9"},
                {"name": "isFixed", "expression": "true"},
            ],
        },
    })
}

/// Installs the policy in place of the webhook.
fn replace_webhook(facts: &mut Facts) {
    facts.configurations = Listed::default();
    facts.releases.clear();
    facts.policies = listed(&[engine_policy()]);
}

#[test]
fn a_policy_says_what_it_decides_by() {
    let policy = read(engine_policy());
    let expected = Policy {
        delay: Delay::clamped(7),
        max_delay: Delay::clamped(60),
        shutdown_reserve: ShutdownReserve::clamped(9),
        grace: GracePolicy::Never,
        ..Policy::default()
    };
    assert_eq!(settings_of(&policy), expected);
    let with_jobs =
        read(json!({"spec": {"variables": [{"name": "defaultDelay", "expression": "a + b"}]}}));
    assert_eq!(settings_of(&with_jobs), Policy { jobs: true, ..Policy::default() });
}

/// Makes the replicas listen on another port.
fn listen(facts: &mut Facts, port: u16) {
    let pods = ["a", "b"].map(|name| {
        let mut pod = replica(name, "apisix-prestop:0.1.0", "0.1.0", "True");
        pod["spec"]["containers"][0]["ports"] = json!([{"name": "https", "containerPort": port}]);
        pod
    });
    facts.releases[0].pods = listed(&pods);
}

#[rstest]
// Kubernetes API
#[case::oldest(|it: &mut Facts| it.api_server = Ok(ApiServerFacts { version: "v1.25.0".into(), minor: Some(25) }),
    CheckId::ApiServerVersion, Pass, "the API server is v1.25.0")]
#[case::too_old(|it: &mut Facts| it.api_server = Ok(ApiServerFacts { version: "v1.24.9".into(), minor: Some(24) }),
    CheckId::ApiServerVersion, Failure, "v1.24.9: the webhook needs 1.25 or later")]
#[case::no_version(|it: &mut Facts| it.api_server = Ok(ApiServerFacts { version: "next".into(), minor: None }),
    CheckId::ApiServerVersion, Warning, "\"next\" is not one of Kubernetes")]
#[case::secret_version(|it: &mut Facts| it.api_server = Err("forbidden".into()),
    CheckId::ApiServerVersion, Warning, "does not tell its version: forbidden")]
#[case::api_without_sleep(|it: &mut Facts| it.api_server = Ok(ApiServerFacts { version: "v1.29.0".into(), minor: Some(29) }),
    CheckId::NativeSleep, Warning, "Kubernetes 1.29 does not know the native sleep: the hook is exec")]
#[case::kubelet_without_sleep(|it: &mut Facts| { older(it); it.nodes.items.push(node("v1.29.3", "")) },
    CheckId::NativeSleep, Warning, "the kubelet v1.29.3 of node n does not know the native sleep: the hook is exec")]
#[case::kubelet_that_is_too_old(|it: &mut Facts| it.nodes.items.push(node("v1.29.3", "")),
    CheckId::NativeSleep, Warning, "the kubelet v1.29.3 of node n is too old for the API server")]
#[case::no_nodes(|it: &mut Facts| { older(it); it.nodes.items.clear() }, CheckId::NativeSleep, Warning, "nothing shows")]
#[case::no_nodes_where_every_kubelet_knows(|it: &mut Facts| it.nodes.items.clear(),
    CheckId::NativeSleep, Pass, "the API server and every kubelet know the native sleep")]
#[case::nodes_refused(|it: &mut Facts| it.nodes = unread(),
    CheckId::NativeSleep, Warning, "not all nodes can be read: forbidden")]
// Permissions
#[case::right_missing(|it: &mut Facts| it.rights.push(right("list", "pods", "shop", Ok(false))),
    CheckId::ReadPermissions, Warning, "you may not list pods in shop")]
#[case::rights_unknown(|it: &mut Facts| it.rights.push(right("list", "pods", "", Err("timeout".into()))),
    CheckId::ReadPermissions, Warning, "your rights are unknown: timeout")]
#[case::subresource_missing(|it: &mut Facts| it.rights.push(right("create", "pods/portforward", "x", Ok(false))),
    CheckId::ReadPermissions, Warning, "you may not create pods/portforward in x")]
// Webhook
#[case::not_installed(|it: &mut Facts| { it.configurations = Listed::default(); it.releases.clear() },
    CheckId::WebhookConfiguration, Failure, "there is no MutatingWebhookConfiguration")]
#[case::configurations_refused(|it: &mut Facts| { it.configurations = unread(); it.releases.clear() },
    CheckId::WebhookConfiguration, Failure, "not all MutatingWebhookConfigurations can be read: forbidden")]
#[case::page_refused(|it: &mut Facts| it.configurations.missing = Some("forbidden".into()),
    CheckId::WebhookConfiguration, Warning, "can be read: forbidden")]
#[case::other_path(|it: &mut Facts| reconfigure(it, "/clientConfig/service/path", json!("/mutate")),
    CheckId::WebhookRules, Failure, "another path than /inject")]
#[case::other_operation(|it: &mut Facts| reconfigure(it, "/rules/0/operations", json!(["UPDATE"])),
    CheckId::WebhookRules, Failure, "no rule for CREATE of pods")]
#[case::fails_closed(|it: &mut Facts| reconfigure(it, "/failurePolicy", json!("Fail")),
    CheckId::WebhookRules, Pass, "if it does not answer, no Pod is created")]
#[case::selects_none(|it: &mut Facts| reconfigure(it, "/namespaceSelector", json!({"matchLabels": {"apisix-prestop/inject": "on"}})),
    CheckId::WebhookSelectors, Failure, "selects no namespace with apisix-prestop/inject=enabled")]
#[case::selects_some_by_another_label(|it: &mut Facts| reconfigure(it, "/namespaceSelector/matchLabels", json!({"stage": "canary"})),
    CheckId::WebhookSelectors, Pass, "selects the namespaces with apisix-prestop/inject=enabled and stage=canary")]
#[case::selects_some_pods(|it: &mut Facts| reconfigure(it, "/objectSelector/matchLabels", json!({"tier": "web"})),
    CheckId::WebhookSelectors, Pass, "apisix-prestop/inject=enabled, and there Pods with tier=web")]
#[case::selects_all(|it: &mut Facts| reconfigure(it, "/namespaceSelector", json!({"matchLabels": {"stage": "canary"}})),
    CheckId::WebhookSelectors, Warning, "selects namespaces without apisix-prestop/inject")]
#[case::selects_itself(|it: &mut Facts| reconfigure(it, "/objectSelector/matchExpressions", json!([{
        "key": "apisix-prestop/inject", "operator": "NotIn", "values": ["disabled", "false"]}])),
    CheckId::WebhookSelectors, Warning, "does not exclude the Pods of the webhook itself")]
#[case::selects_no_pod(|it: &mut Facts| reconfigure(it, "/objectSelector", json!({"matchExpressions": [{
        "key": "apisix-prestop/inject", "operator": "Exists"}]})),
    CheckId::WebhookSelectors, Failure, "selects no Pod without apisix-prestop/inject")]
#[case::selects_opted_out(|it: &mut Facts| reconfigure(it, "/objectSelector", json!({})),
    CheckId::WebhookSelectors, Warning, "selects Pods with apisix-prestop/inject=disabled")]
#[case::policy(
    replace_webhook,
    CheckId::WebhookConfiguration,
    Pass,
    "there is the MutatingAdmissionPolicy apisix-prestop"
)]
#[case::policy_selects(
    replace_webhook,
    CheckId::WebhookSelectors,
    Pass,
    "apisix-prestop selects the namespaces with apisix-prestop/inject=enabled"
)]
#[case::policy_selects_none(|it: &mut Facts| { replace_webhook(it); let mut policy = engine_policy();
        policy["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchLabels": {"apisix-prestop/inject": "on"}});
        it.policies = listed(&[policy]) },
    CheckId::WebhookSelectors, Failure, "apisix-prestop selects no namespace with apisix-prestop/inject=enabled")]
#[case::namespaces_of_a_policy(
    replace_webhook,
    CheckId::OptedIn,
    Pass,
    "1 namespace opted in: shop"
)]
#[case::two_releases(|it: &mut Facts| it.configurations = listed(&[configuration("a"), configuration("b")]),
    CheckId::TwoReleases, Warning, "a and b both change the Pods of namespace shop")]
// Replicas
#[case::no_deployment(|it: &mut Facts| serve(it, |it| it.deployments.items.clear()),
    CheckId::ReplicasReady, Failure, "namespace apisix-prestop has no Deployment of apisix-prestop")]
#[case::one_not_ready(|it: &mut Facts| serve(it, |it| it.pods.items[1] = read(replica("b", "apisix-prestop:0.1.0", "0.1.0", "False"))),
    CheckId::ReplicasReady, Failure, "1 of 2 replicas are ready")]
#[case::replicas_refused(|it: &mut Facts| serve(it, |it| it.pods = unread()),
    CheckId::ReplicasReady, Warning, "not all Pods of the webhook can be read: forbidden")]
#[case::scaled_to_zero(|it: &mut Facts| serve(it, |it| it.deployments = listed(&[json!({"spec": {"replicas": 0}})])),
    CheckId::ReplicasReady, Failure, "0 of 0 replicas are ready")]
#[case::two_images(|it: &mut Facts| serve(it, |it| it.pods.items[1] = read(replica("b", "apisix-prestop:0.2.0", "0.1.0", "True"))),
    CheckId::ReplicaVersions, Warning, "different images: apisix-prestop:0.1.0, apisix-prestop:0.2.0")]
#[case::skew(|it: &mut Facts| it.own_version = "0.2.0".into(),
    CheckId::VersionSkew, Warning, "the release has version 0.1.0, and this program 0.2.0")]
// Certificate
#[case::no_bundle(|it: &mut Facts| serve(it, |it| { it.bundle = Err("it is empty".into()); it.served.clear() }),
    CheckId::CaBundle, Failure, "the caBundle of apisix-prestop is not usable: it is empty")]
#[case::nothing_to_verify(|it: &mut Facts| serve(it, |it| { it.bundle = Err("it is empty".into()); it.served.clear() }),
    CheckId::ServedCertificate, Skipped, "there is no CA")]
#[case::none_ready(|it: &mut Facts| serve(it, |it| it.served.clear()),
    CheckId::ServedCertificate, Skipped, "no replica is ready")]
#[case::other_ca(|it: &mut Facts| serve(it, |it| it.served[1] = served("b", Some("UnknownIssuer"))),
    CheckId::ServedCertificate, Failure, "the CA does not verify what b serves: UnknownIssuer")]
#[case::not_dialled(|it: &mut Facts| serve(it, |it| it.served[0].certificate = Err("403".into())),
    CheckId::ServedCertificate, Warning, "cannot see what a serves: 403")]
#[case::not_renewed(|it: &mut Facts| it.now += 77 * DAY,
    CheckId::CertificateExpiry, Warning, "expires in 12 days, and has not been renewed")]
#[case::expired(|it: &mut Facts| it.now += 90 * DAY,
    CheckId::CertificateExpiry, Failure, "the certificate has expired")]
// Namespaces
#[case::nobody(|it: &mut Facts| { it.namespaces = listed(&[namespace("shop", json!({}))]); it.dry_runs.clear() },
    CheckId::OptedIn, Warning, "no namespace has opted in")]
#[case::namespaces_refused(|it: &mut Facts| { it.namespaces = unread(); it.dry_runs.clear() },
    CheckId::OptedIn, Warning, "not all namespaces can be read: forbidden")]
#[case::without_a_webhook(|it: &mut Facts| { it.configurations = unread(); it.releases.clear() },
    CheckId::OptedIn, Pass, "1 namespace opted in: shop")]
#[case::missing_namespace(|it: &mut Facts| { it.namespaces = Listed::default(); it.only_namespace = Some("shoop".into()) },
    CheckId::OptedIn, Failure, "there is no namespace shoop")]
#[case::not_this_one(|it: &mut Facts| { it.namespaces = listed(&[namespace("bank", json!({}))]); it.only_namespace = Some("bank".into()) },
    CheckId::OptedIn, Warning, "namespace bank has not opted in")]
#[case::annotation(|it: &mut Facts| it.namespaces.items.push(read(json!({
        "metadata": {"name": "bank", "annotations": {"apisix-prestop/inject": "enabled"}}}))),
    CheckId::LabelAsAnnotation, Warning, "namespace bank has apisix-prestop/inject as an annotation: only a label opts in")]
#[case::another_case(|it: &mut Facts| it.namespaces.items.push(read(namespace("bank", json!({"apisix-prestop/inject": "True"})))),
    CheckId::LabelValue, Warning, "namespace bank has the label apisix-prestop/inject=True: only apisix-prestop/inject=enabled opts in")]
#[case::own_namespace(|it: &mut Facts| it.namespaces.items.push(read(opted_in("apisix-prestop"))),
    CheckId::OptedIn, Pass, "2 namespaces opted in: shop, apisix-prestop")]
#[case::label_true(|it: &mut Facts| it.namespaces.items.push(read(json!({"metadata": {"name": "bank", "labels": {"apisix-prestop/inject": "true"}}}))),
    CheckId::OptedIn, Pass, "2 namespaces opted in: shop, bank")]
#[case::excluded_namespace(|it: &mut Facts| it.namespaces.items.push(read(opted_in("kube-system"))),
    CheckId::ExcludedNamespace, Warning, "kube-system has the label apisix-prestop/inject=enabled, but the webhook excludes it")]
#[case::on_the_deployment(|it: &mut Facts| it.workloads = listed(&[json!({"kind": "Deployment", "metadata": {
        "name": "web", "namespace": "apisix-prestop", "labels": {"apisix-prestop/inject": "enabled"}}})]),
    CheckId::LabelOnWorkload, Warning, "Deployment apisix-prestop/web has the label apisix-prestop/inject=enabled itself: only a label on the namespace opts in")]
#[case::opt_out_on_the_deployment(|it: &mut Facts| it.workloads = listed(&[json!({"kind": "Deployment", "metadata": {
        "name": "web", "namespace": "shop", "labels": {"apisix-prestop/inject": "disabled"}}})]),
    CheckId::LabelOnWorkload, Warning, "only one in spec.template.metadata.labels opts its Pods out")]
// Dry run
#[case::unreachable(|it: &mut Facts| it.dry_runs = vec![dry_run(pod(false, false, 30))],
    CheckId::DryRun, Failure, "namespace shop: the Pod has no hook: the API server does not reach the webhook")]
#[case::observed(|it: &mut Facts| { it.dry_runs = vec![dry_run(pod(false, false, 30))];
        serve(it, |it| it.deployments = listed(&[deployment(&["serve", "--mode=observe"])])) },
    CheckId::DryRun, Warning, "because of --mode observe")]
#[case::stripped(|it: &mut Facts| { it.dry_runs = vec![dry_run(pod(false, true, 30))]; it.configurations.items.push(read(other("z", "Never"))) },
    CheckId::DryRun, Failure, "namespace shop: MutatingWebhookConfiguration z removes the hook")]
#[case::stripped_by_one_of_two(|it: &mut Facts| { it.dry_runs = vec![dry_run(pod(false, true, 30))];
        it.configurations.items.extend([read(other("a", "IfNeeded")), read(other("aa", "Never")), read(other("z", "Never"))]) },
    CheckId::DryRun, Failure, "one of MutatingWebhookConfiguration a, MutatingWebhookConfiguration z removes the hook")]
#[case::stripped_by_a_policy(|it: &mut Facts| { it.dry_runs = vec![dry_run(pod(false, true, 30))];
        it.policies = listed(&[json!({"metadata": {"name": "p"}, "spec": {"reinvocationPolicy": "IfNeeded", "matchConstraints": {
            "resourceRules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]}}})]) },
    CheckId::DryRun, Failure, "MutatingAdmissionPolicy p removes the hook")]
#[case::without_a_binding(|it: &mut Facts| { replace_webhook(it); it.dry_runs = vec![dry_run(pod(false, false, 30))] },
    CheckId::DryRun, Failure, "namespace shop: the Pod has no hook: the MutatingAdmissionPolicy does not apply to it")]
#[case::both_engines_are_not_reached(|it: &mut Facts| { it.policies = listed(&[engine_policy()]); it.dry_runs = vec![dry_run(pod(false, false, 30))] },
    CheckId::DryRun, Failure, "the API server does not reach the webhook")]
#[case::opt_out_ignored(|it: &mut Facts| it.dry_runs[0].opted_out = Ok(read(pod(true, true, 30))),
    CheckId::DryRun, Warning, "namespace shop: a Pod that opts out gets the hook")]
#[case::record_removed(|it: &mut Facts| it.dry_runs = vec![dry_run(pod(true, false, 30))],
    CheckId::DryRun, Warning, "something after the webhook removes the record")]
#[case::grace_lowered(|it: &mut Facts| it.dry_runs = vec![dry_run(pod(true, true, 5))],
    CheckId::DryRun, Failure, "the Pod sleeps 5 s, and something after the webhook leaves it 5 s to stop")]
#[case::quota(|it: &mut Facts| it.dry_runs = vec![rejected("exceeded quota: tiny")],
    CheckId::DryRun, Warning, "namespace shop: the Pod is rejected: exceeded quota: tiny")]
#[case::no_answer(|it: &mut Facts| it.dry_runs = vec![rejected("failed calling webhook \"inject.apisix-prestop.svc\": timeout")],
    CheckId::DryRun, Failure, "the API server gets no answer: failed calling webhook")]
#[case::left_out(|it: &mut Facts| it.dry_runs_left_out = 7, CheckId::DryRun, Warning, "7 namespaces more were left out")]
#[case::no_dry_run(|it: &mut Facts| it.dry_runs.clear(), CheckId::DryRun, Skipped, "no namespace has opted in")]
#[case::later_webhook(|it: &mut Facts| it.configurations.items.push(read(other("z", "Never"))),
    CheckId::LaterAdmission, Pass, "these may change Pods after the webhook: MutatingWebhookConfiguration z")]
#[case::policies_refused(|it: &mut Facts| it.policies = unread(),
    CheckId::LaterAdmission, Warning, "not all MutatingAdmissionPolicies can be read: forbidden")]
// Platform
#[case::kyverno(|it: &mut Facts| it.api_groups = Ok(vec!["kyverno.io".into()]), CheckId::PolicyEngine, Pass, "policies come from Kyverno")]
#[case::groups_refused(|it: &mut Facts| it.api_groups = Err("forbidden".into()), CheckId::PolicyEngine, Warning, "cannot be read: forbidden")]
#[case::closed(|it: &mut Facts| serve(it, |it| it.network_policies = listed(&[policy(json!([{"ports": [{"port": 8080}]}]))])),
    CheckId::NetworkPolicy, Warning, "no rule of deny lets the API server reach port 10250")]
#[case::open(|it: &mut Facts| serve(it, |it| it.network_policies = listed(&[policy(json!([{"ports": [{"port": "https"}]}]))])),
    CheckId::NetworkPolicy, Pass, "let clients reach port 10250")]
#[case::open_range(|it: &mut Facts| serve(it, |it| it.network_policies = listed(&[policy(json!([{"ports": [{"port": 10000, "endPort": 11000}]}]))])),
    CheckId::NetworkPolicy, Pass, "let clients reach port 10250")]
#[case::policies_of_the_network_refused(|it: &mut Facts| serve(it, |it| it.network_policies = unread()),
    CheckId::NetworkPolicy, Warning, "not all NetworkPolicies can be read")]
#[case::gke_works(|it: &mut Facts| it.nodes.items.push(node("v1.36.1", "gce://p/z/n")), CheckId::Provider, Pass, "GKE: the control plane reaches port 10250 of private nodes")]
#[case::gke_and_another_port(|it: &mut Facts| { it.nodes.items.push(node("v1.36.1", "gce://p/z/n")); listen(it, 8443) },
    CheckId::Provider, Pass, "GKE: with private nodes, the control plane needs a firewall rule for port 8443")]
#[case::gke_does_not(|it: &mut Facts| { it.nodes.items.push(node("v1.36.1", "gce://p/z/n")); it.dry_runs = vec![dry_run(pod(false, false, 30))]; listen(it, 8443) },
    CheckId::Provider, Warning, "needs a firewall rule for port 8443")]
#[case::open_for_another_port(|it: &mut Facts| { listen(it, 8443); serve(it, |it| it.network_policies = listed(&[policy(json!([{"ports": [{"port": 8443}]}]))])) },
    CheckId::NetworkPolicy, Pass, "let clients reach port 8443")]
#[case::openshift(|it: &mut Facts| it.api_groups = Ok(vec!["config.openshift.io".into()]), CheckId::Provider, Pass, "OpenShift")]
// --pre
#[case::may_install(|it: &mut Facts| it.is_pre = true, CheckId::InstallPermissions, Pass, "you may install the chart")]
#[case::may_not_install(|it: &mut Facts| { it.is_pre = true; it.rights = vec![right("create", "services", "x", Ok(false))] },
    CheckId::InstallPermissions, Failure, "you may not create services in x")]
#[case::is_installed(|it: &mut Facts| it.is_pre = true, CheckId::EarlierRelease, Warning, "the MutatingWebhookConfiguration apisix-prestop of a release is there")]
#[case::is_not_installed(|it: &mut Facts| { it.is_pre = true; it.configurations = Listed::default() },
    CheckId::EarlierRelease, Pass, "no other release is installed")]
#[case::before_gke(|it: &mut Facts| { it.is_pre = true; it.nodes.items.push(node("v1.36.1", "gce://p/z/n")) },
    CheckId::Provider, Pass, "GKE: the control plane reaches port 10250 of private nodes")]
fn one_change_has_one_consequence(
    #[case] change: Change,
    #[case] id: CheckId,
    #[case] status: CheckStatus,
    #[case] message: &str,
) {
    let mut facts = healthy();
    change(&mut facts);
    let report = PreflightReport::of(&facts);
    let is_it = report.checks.iter().any(|result| {
        result.id == id && result.status == status && result.message.contains(message)
    });
    assert!(is_it, "no {status:?} {id:?} with {message:?} in:\n{}", messages(&report));
    for fault in report.checks.iter().filter(|it| [Warning, Failure].contains(&it.status)) {
        assert!(fault.hint.is_some(), "each fault has a command that helps: {fault:?}");
    }
}

#[rstest]
#[case::opted_out_namespace(|it: &mut Facts| it.namespaces.items.push(read(namespace("bank", json!({"apisix-prestop/inject": "disabled"})))))]
#[case::label_on_a_workload_of_an_opted_in_namespace(|it: &mut Facts| it.workloads = listed(&[json!({"kind": "Deployment", "metadata": {
    "name": "web", "namespace": "shop", "labels": {"apisix-prestop/inject": "enabled"}}})]))]
#[case::egress_policy(|it: &mut Facts| serve(it, |it| it.network_policies = listed(&[json!({"spec": {"policyTypes": ["Egress"]}})])))]
#[case::terminating_replica(|it: &mut Facts| serve(it, |it| it.pods.items.push(read(json!({"metadata": {
    "name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"containers": [{"image": "old"}]}})))))]
#[case::short_lifetime(|it: &mut Facts| serve(it, |it| for served in &mut it.served {
    let served = served.certificate.as_mut().unwrap();
    served.not_after = served.not_before + DAY + Duration::from_secs(10 * 3600);
}))]
#[case::exec_hook(|it: &mut Facts| { let mut pod = pod(true, true, 30);
    pod["spec"]["containers"][1]["lifecycle"] = json!({"preStop": {"exec": {"command": ["/bin/sh", "-c", "sleep 5"]}}});
    it.dry_runs = vec![dry_run(pod)] })]
#[case::earlier_webhook(|it: &mut Facts| it.configurations.items.push(read(other("a", "Never"))))]
#[case::the_policy_instead_of_the_webhook(replace_webhook)]
#[case::both_engines(|it: &mut Facts| it.policies = listed(&[engine_policy()]))]
fn what_is_no_fault_changes_nothing(#[case] change: Change) {
    let mut facts = healthy();
    change(&mut facts);
    let report = PreflightReport::of(&facts);
    assert_eq!(report.status(), Pass, "{}", messages(&report));
}

#[test]
fn a_thousand_faults_of_a_kind_are_twenty_lines_and_a_number() {
    let mut facts = healthy();
    let label = json!({"apisix-prestop/inject": "on".repeat(2000)});
    facts
        .namespaces
        .items
        .extend((0..1000).map(|it| read(namespace(&format!("n{it}"), label.clone()))));
    let report = PreflightReport::of(&facts);
    let lines: Vec<_> = report.checks.iter().filter(|it| it.id == CheckId::LabelValue).collect();
    assert_eq!(lines.len(), 21, "{}", messages(&report));
    assert_eq!((&*lines[20].message, lines[20].status), ("980 more of the same kind", Warning));
    assert!(lines.iter().all(|it| it.message.chars().count() <= 1025), "a message has a limit");
}

// ---- The documentation -------------------------------------------------------------------------

#[test]
fn every_check_has_its_runbook() {
    let page = fs::read_to_string(repository().join("docs/runbooks.md")).unwrap();
    let anchors: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let checks: Vec<_> = CheckId::VARIANTS.iter().map(|id| id.as_str()).collect();
    assert_eq!(anchors, checks, "docs/runbooks.md has a section for each check, in the same order");
}

#[test]
fn the_schema_names_every_check() {
    let ids = schema::read("docs/check.schema.json")["properties"]["checks"]["items"]["properties"]
        ["id"]["enum"]
        .clone();
    let checks: Vec<_> = CheckId::VARIANTS.iter().map(|id| id.as_str()).collect();
    assert_eq!(ids, json!(checks), "docs/check.schema.json names the checks in their order");
}

// ---- The real binary ---------------------------------------------------------------------------

/// An API server that answers with what is at each path: the items of a list, an object, or a refusal.
/// Its replicas serve a certificate through a port-forward.
#[derive(Clone)]
struct Cluster {
    answers: Arc<Mutex<BTreeMap<String, Value>>>,
    tls: TlsAcceptor,
}

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// A certificate that is its own CA.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["apisix-prestop.apisix-prestop.svc".to_owned()]);
    let made = made.unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Our webhook, with a CA for it.
fn trusting(ca: &str) -> Value {
    let mut configuration = configuration("apisix-prestop");
    configuration["webhooks"][0]["clientConfig"]["caBundle"] = BASE64_STANDARD.encode(ca).into();
    json!([configuration])
}

impl Cluster {
    /// With a release, and a namespace `shop` that has opted in.
    fn healthy() -> Self {
        let (ca, key) = certificate();
        let served = ServedCertificate::new(certified_key(ca.as_bytes(), key.as_bytes()).unwrap());
        let tls = TlsAcceptor::from(Arc::new(server_config(served, None).unwrap()));
        let cluster = Self { answers: Arc::default(), tls };
        let version = json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.1", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        });
        let kubelet = json!({
            "metadata": {"name": "n"}, "status": {"nodeInfo": {"kubeletVersion": "v1.36.1"}},
        });
        let version_now = env!("CARGO_PKG_VERSION");
        let replicas =
            ["a", "b"].map(|name| replica(name, "apisix-prestop:0.1.0", version_now, "True"));
        let namespaces = json!([namespace("apisix-prestop", json!({})), opted_in("shop")]);
        for (path, answer) in [
            ("/version", version),
            ("/apis", json!({"kind": "APIGroupList", "groups": []})),
            ("/api/v1/nodes", json!([kubelet])),
            (CONFIGURATIONS, trusting(&ca)),
            ("/api/v1/namespaces", namespaces),
            ("/api/v1/namespaces/apisix-prestop/pods", json!(replicas)),
            (
                "/apis/apps/v1/namespaces/apisix-prestop/deployments",
                json!([deployment(&["serve"])]),
            ),
            ("/api/v1/namespaces/shop/pods", pod(true, true, 30)),
            (
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                json!({"status": {"allowed": true}}),
            ),
        ] {
            cluster.set(path, answer);
        }
        cluster
    }

    fn set(&self, path: &str, value: Value) {
        self.answers.lock().unwrap().insert(path.to_owned(), value);
    }

    /// Serves it, and runs `check`.
    fn check(&self, flags: &[&str]) -> Run {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        check(&url, flags)
    }
}

async fn answer(State(cluster): State<Cluster>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let value = cluster.answers.lock().unwrap().get(&path).cloned();
    if value.as_ref().is_some_and(Value::is_object) && path.ends_with("/pods") {
        let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.unwrap();
        let created: Value = serde_json::from_slice(&body).unwrap();
        let opts_out = created["metadata"]["labels"]["apisix-prestop/inject"] == "disabled";
        let pod = value.filter(|_| !opts_out).unwrap_or_else(|| pod(false, false, 30));
        return ([(CONTENT_TYPE, "application/json")], pod.to_string()).into_response();
    }
    let (status, body) = match value {
        Some(Value::Array(items)) => {
            (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}))
        }
        Some(Value::String(why)) => (403, status(403, &why)),
        Some(Value::Number(code)) => (401, status(401, &code.to_string())),
        Some(object) => (200, object),
        None if path.ends_with("/portforward") => return forward_port(cluster, request),
        None => (404, status(404, "not found")),
    };
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Speaks `v4.channel.k8s.io`: each message begins with its channel, 0 for data and 1 for errors, and
/// the first of each channel names the port.
fn forward_port(cluster: Cluster, mut request: Request) -> Response {
    let key = derive_accept_key(request.headers()[SEC_WEBSOCKET_KEY].as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgraded.await.unwrap());
        let (mut sink, mut source) =
            WebSocketStream::from_raw_socket(stream, Role::Server, None).await.split();
        let port = WEBHOOK_PORT.to_le_bytes();
        for channel in [0, 1] {
            sink.send(Message::binary(vec![channel, port[0], port[1]])).await.unwrap();
        }
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move { cluster.tls.accept(far).await });
        let (mut from_pod, mut to_pod) = tokio::io::split(near);
        tokio::spawn(async move {
            while let Some(Ok(message)) = source.next().await {
                if let [0, data @ ..] = &*message.into_data() {
                    to_pod.write_all(data).await.unwrap();
                }
            }
        });
        let mut data = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_pod.read(&mut data[1..]).await {
            let _ = sink.send(Message::binary(data[..=length].to_vec())).await;
        }
    });
    let headers = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, key),
        (SEC_WEBSOCKET_PROTOCOL, "v4.channel.k8s.io".to_owned()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": ""})
}

fn check(url: &str, flags: &[&str]) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("config");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "c", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    });
    fs::write(&kubeconfig, text.to_string()).unwrap();
    check_with(kubeconfig.to_str().unwrap(), flags)
}

fn check_with(kubeconfig: &str, flags: &[&str]) -> Run {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_apisix-prestop"))
        .arg("check")
        .args(flags)
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_report_is_for_people() {
    let cluster = Cluster::healthy();
    cluster.set("/api/v1/nodes", json!("nodes is forbidden"));
    cluster.set(CONFIGURATIONS, trusting(&certificate().0));
    let run = cluster.check(&[]);
    let expected = "\
Kubernetes API
--------------
✓ the API server is v1.36.1
✓ the API server and every kubelet know the native sleep
‼ not all nodes can be read: nodes is forbidden
    try: kubectl auth can-i --list
    see docs/runbooks.md#native_sleep

Permissions
-----------
✓ you may read everything that is checked

Webhook
-------
✓ there is the MutatingWebhookConfiguration apisix-prestop
✓ apisix-prestop is called for each new Pod; if it does not answer, a Pod goes without the hook
✓ apisix-prestop selects the namespaces with apisix-prestop/inject=enabled

Replicas
--------
✓ 2 of 2 replicas are ready in namespace apisix-prestop
✓ every replica runs apisix-prestop:0.1.0
✓ the release has the version of this program, 0.1.0

Certificate
-----------
✓ apisix-prestop names a CA
✗ the CA does not verify what a serves: invalid peer certificate: BadSignature
    try: kubectl -n apisix-prestop logs -l app.kubernetes.io/name=apisix-prestop --tail=20
    see docs/runbooks.md#served_certificate
✗ the CA does not verify what b serves: invalid peer certificate: BadSignature
    try: kubectl -n apisix-prestop logs -l app.kubernetes.io/name=apisix-prestop --tail=20
    see docs/runbooks.md#served_certificate

Namespaces
----------
✓ 1 namespace opted in: shop

Dry run
-------
✓ a Pod gets the hook in 1 namespace: shop
✓ nothing else changes these Pods after the webhook

Platform
--------
✓ there is no policy engine
✓ no NetworkPolicy selects the replicas in namespace apisix-prestop

Status check results are ✗
";
    // The certificate of the test is valid for a long and changing time.
    let (expiry, lines): (Vec<_>, Vec<_>) =
        run.stdout.split_inclusive('\n').partition(|line| line.contains("expires in"));
    assert_eq!(lines.concat(), expected);
    assert_eq!((expiry.len(), &*run.stderr, run.code), (1, "", 1), "the report says it all");
}

#[test]
fn the_json_is_as_the_schema_says() {
    let cluster = Cluster::healthy();
    cluster.set(
        "/api/v1/namespaces",
        json!([namespace("bank", json!({"apisix-prestop/inject": "TRUE"}))]),
    );
    let run = cluster.check(&["-o", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    schema::assert_valid("docs/check.schema.json", &report);
    let expected = json!({
        "section": "namespaces", "id": "label_value", "status": "warning",
        "message": "namespace bank has the label apisix-prestop/inject=TRUE: only apisix-prestop/inject=enabled opts in",
        "hint": "kubectl label namespace bank apisix-prestop/inject=enabled --overwrite",
        "runbook": "docs/runbooks.md#label_value",
    });
    assert!(report["checks"].as_array().unwrap().contains(&expected), "{report:#}");
}

#[test]
fn before_the_installation_only_what_matters_then_is_checked() {
    let cluster = Cluster::healthy();
    cluster.set(CONFIGURATIONS, json!([]));
    let run = cluster.check(&["--pre"]);
    let expected = "\
Kubernetes API
--------------
✓ the API server is v1.36.1
✓ the API server and every kubelet know the native sleep

Permissions
-----------
✓ you may install the chart

Webhook
-------
✓ no other release is installed

Platform
--------
✓ there is no policy engine

Status check results are ✓
";
    assert_eq!((&*run.stdout, &*run.stderr, run.code), (expected, "", 0));
}

/// Whatever single read is refused, the rest is reported.
#[rstest]
#[case("/version")]
#[case("/apis")]
#[case("/api/v1/nodes")]
#[case(CONFIGURATIONS)]
#[case("/api/v1/namespaces")]
#[case("/api/v1/namespaces/apisix-prestop/pods")]
#[case("/apis/apps/v1/namespaces/apisix-prestop/deployments")]
#[case("/apis/apps/v1/deployments")]
#[case("/apis/networking.k8s.io/v1/namespaces/apisix-prestop/networkpolicies")]
#[case("/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies")]
#[case("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")]
#[case("/api/v1/namespaces/shop/pods")]
#[case("/api/v1/namespaces/apisix-prestop/pods/a/portforward")]
fn what_is_refused_is_said_and_the_rest_reported(#[case] path: &str) {
    let cluster = Cluster::healthy();
    let refusal = "user jane cannot do this";
    cluster.set(path, json!(refusal));
    let run = cluster.check(&[]);
    assert!(run.stdout.contains(refusal), "the report says what is missing:\n{}", run.stdout);
    let last = run.stdout.lines().last().unwrap();
    assert!(last.starts_with("Status check results are"), "the report is complete: {last}");
    assert_eq!(run.stderr, "");
}

#[rstest]
#[case::both(&["-A", "-n", "shop"], "cannot be used with")]
#[case::name(&["-n", "a/b"], "expected up to 63 lowercase letters, digits and -")]
#[case::wait(&["--wait", "2h"], "expected a time from 0s to 1h")]
#[case::output(&["-o", "yaml"], "invalid value 'yaml' for '--output <FORMAT>'")]
fn a_wrong_flag_is_named(#[case] flags: &[&str], #[case] message: &str) {
    let run = Cluster::healthy().check(flags);
    assert!(run.stderr.contains(message), "expected {message:?} in {:?}", run.stderr);
    assert_eq!((&*run.stdout, run.code), ("", 2));
}

#[rstest]
#[case::no_file("/missing/config", "KUBECONFIG")]
#[case::nobody_listens("", "cannot use the API server")]
fn no_cluster_is_one_clear_line(#[case] kubeconfig: &str, #[case] message: &str) {
    let run = match kubeconfig {
        "" => check("http://127.0.0.1:1", &[]),
        path => check_with(path, &[]),
    };
    assert!(run.stderr.starts_with("error: ") && run.stderr.contains(message), "{}", run.stderr);
    assert!(run.stderr.contains("KUBECONFIG has to name"), "it says what to set: {}", run.stderr);
    assert_eq!((&*run.stdout, run.code, run.stderr.lines().count()), ("", 2, 1));
}

#[test]
fn credentials_that_nobody_knows_are_no_report() {
    let cluster = Cluster::healthy();
    cluster.set("/version", json!(401));
    let run = cluster.check(&[]);
    assert!(run.stderr.starts_with("error: cannot use the API server: 401"), "{}", run.stderr);
    assert_eq!((&*run.stdout, run.code), ("", 2));
}

#[test]
fn inside_the_cluster_it_asks_the_service() {
    let cluster = Cluster::healthy();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut configuration = cluster.answers.lock().unwrap()[CONFIGURATIONS].clone();
    configuration[0]["webhooks"][0]["clientConfig"]["service"]["port"] = port.into();
    cluster.set(CONFIGURATIONS, configuration);
    let line =
        "‼ cannot see what apisix-prestop.apisix-prestop.svc serves: there is no such Service";
    let run = cluster.check(&["--in-cluster"]);
    assert!(run.stdout.contains(line), "no {line:?} in:\n{}", run.stdout);
    assert_eq!(run.code, 0, "what cannot be read is a warning");

    let services = "/api/v1/namespaces/apisix-prestop/services";
    cluster.set(
        services,
        json!([{"metadata": {"name": "apisix-prestop"}, "spec": {"clusterIP": "127.0.0.1"}}]),
    );
    let tls = cluster.tls.clone();
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        listener.set_nonblocking(true).unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let _ = tls.accept(stream).await;
        });
    });
    let line = "✓ the CA verifies the certificate of apisix-prestop.apisix-prestop.svc";
    let run = cluster.check(&["--in-cluster"]);
    assert!(run.stdout.contains(line), "no {line:?} in:\n{}", run.stdout);
    serving.join().unwrap();
}

#[test]
fn it_waits_until_nothing_fails() {
    let cluster = Cluster::healthy();
    let configurations = cluster.answers.lock().unwrap().remove(CONFIGURATIONS).unwrap();
    let later = cluster.clone();
    let change = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        later.set(CONFIGURATIONS, configurations);
    });
    let run = cluster.check(&["--wait", "30s"]);
    change.join().unwrap();
    assert_eq!((run.code, &*run.stderr), (0, ""), "{}", run.stdout);
    assert!(run.stdout.ends_with("\nStatus check results are ✓\n"), "{}", run.stdout);
}
