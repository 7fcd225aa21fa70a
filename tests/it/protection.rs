//! Running Pods that are not protected: which ones count, what a person learns of them, and when.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use apisix_prestop::{
    constants::{MAX_FINDINGS_OF_A_NAMESPACE, MAX_NAMESPACE_BYTES, SETTLED_AFTER},
    injection::{GracePolicy, Hook, Pod, Policy, Targets},
    protection::{
        Announcements, AuditSettings, AuditedPod, Finding, NamespaceOptIn, PodLife, Protection,
        RunningPods, UnprotectedPod,
    },
    upstreams::{
        ClusterObject as Object, IngressController as Controller, Snapshot, UpstreamIndex,
        VersionChoice,
    },
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

/// A Pod of the ReplicaSet web-1, changed by `change`.
fn pod(name: &str, change: &Value) -> Value {
    let mut pod = json!({
        "metadata": {
            "name": name,
            "uid": name,
            "labels": {"app": "web"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": true},
            ],
        },
        "spec": {"containers": [{"name": "app", "image": "x"}]},
    });
    json_patch::merge(&mut pod, change);
    pod
}

const CREATED: &str = "2026-01-02T00:00:00Z";

fn settings(policy: Policy) -> AuditSettings {
    AuditSettings { policy, is_installed: true, ..AuditSettings::default() }
}

/// Passes on what is known of a Pod, of its namespace and of its route.
fn audited<T>(
    pod: &Value,
    namespace: Option<&NamespaceOptIn>,
    then: impl FnOnce(&AuditedPod<'_, '_>) -> T,
) -> T {
    let text = pod.to_string();
    then(&AuditedPod {
        pod: &serde_json::from_str::<Pod<'_>>(&text).unwrap(),
        life: PodLife::Running,
        created: CREATED,
        routed: namespace.map(|_| ROUTED),
        namespace,
        is_probed: true,
        hook_failed: false,
    })
}

fn unprotected(pod: &Value, policy: Policy) -> Option<UnprotectedPod> {
    audited(pod, None, |pod| UnprotectedPod::of(pod, "uid-of-the-pod", &settings(policy)))
}

/// Takes a Pod as a watch does.
fn apply(pods: &mut RunningPods, namespace: &str, name: &str, pod: &Value) {
    pods.apply(namespace, name, CREATED, unprotected(pod, Policy::default()));
}

/// What is found in a namespace that opted in before its Pods were created.
fn look(pods: &RunningPods, namespace: &str, snapshot: &Snapshot) -> Vec<Finding> {
    let opt_in = NamespaceOptIn { is_opted_in: true, since: None };
    pods.findings(&namespace.into(), &opt_in, snapshot, &settings(Policy::default()))
}

/// When the routes of [`snapshot`] were created.
const ROUTED: &str = "2026-01-03T00:00:00Z";

/// The targets in a namespace `shop` in which a route names the Service `web`, and none the Service
/// `internal`.
fn snapshot(services: &[Value]) -> Snapshot {
    let controller = Controller { version: VersionChoice::V1_8, ..Controller::default() };
    let mut index = UpstreamIndex::new(controller);
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "apisix"},
        "spec": {"controller": "apisix.apache.org/ingress"},
    });
    let named: Vec<_> = services.iter().filter(|it| it["metadata"]["name"] != "internal").collect();
    let route = json!({
        "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute",
        "metadata": {"name": "route", "namespace": "shop"},
        "spec": {"http": named.iter().map(|service| json!({
            "name": "all",
            "backends": [{"serviceName": service["metadata"]["name"], "servicePort": 80}],
        })).collect::<Vec<_>>()},
    });
    for object in services.iter().chain([&class, &route]) {
        let text = |field: &str| object[field].as_str().unwrap();
        let parsed = Object::from_manifest(text("apiVersion"), text("kind"), object, "shop");
        index.apply(parsed.unwrap().unwrap().with_created(Some(ROUTED.into())));
    }
    index.snapshot()
}

fn service(name: &str, spec: &Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    });
    json_patch::merge(&mut service["spec"], spec);
    service
}

fn plain() -> Snapshot {
    snapshot(&[service("web", &json!({})), service("internal", &json!({}))])
}

fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

fn preset(policy: &str) -> Policy {
    match policy {
        "exec" => Policy { hook: Hook::Exec, ..Policy::default() },
        "never" => Policy { grace: GracePolicy::Never, ..Policy::default() },
        "targets" => Policy { targets: Targets::Upstreams, ..Policy::default() },
        _ => Policy::default(),
    }
}

#[rstest]
#[case::no_hook("", json!({}), Some("created_without_webhook"))]
#[case::no_hook_and_targets_upstreams("targets", json!({}), Some("created_before_route"))]
#[case::own_hook("", json!({"spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}]}}), None)]
#[case::own_hook_that_stops_the_server("", json!({"spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}}]}}), Some("hook_ends_listener"))]
#[case::own_sleep("", json!({"spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]}}), None)]
#[case::own_sleep_that_is_short("", json!({"spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]}}), Some("sleep_short"))]
#[case::own_sleep_and_its_own_delay("", json!({"metadata": {"annotations": {"apisix-prestop/delay": "3s"}}, "spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]}}), None)]
#[case::own_sleep_that_is_cut_off("", json!({"spec": {"terminationGracePeriodSeconds": 30, "containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}]}}), Some("grace_cuts_hook"))]
#[case::one_of_two_containers("", json!({"spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}, {"name": "proxy"}]}}), Some("created_without_webhook"))]
#[case::injected("", json!({"metadata": {"annotations": {"apisix-prestop/injected": "app=5s"}}, "spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]}}), None)]
#[case::injected_with_another_delay("", json!({"metadata": {"annotations": {"apisix-prestop/injected": "app=9s"}}, "spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 9}}}}]}}), None)]
#[case::opted_out("", json!({"metadata": {"labels": {"apisix-prestop/inject": "disabled"}}}), None)]
#[case::delay_0("", json!({"metadata": {"annotations": {"apisix-prestop/delay": "0"}}}), None)]
#[case::runs_to_completion("", json!({"spec": {"restartPolicy": "Never"}}), None)]
#[case::job("", json!({"metadata": {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]}}), None)]
#[case::mirror("", json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}), None)]
#[case::too_large("", json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x".repeat(300), "uid": "u", "controller": true}]}}), None)]
#[case::too_large_with_a_short_sleep("", json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x".repeat(300), "uid": "u", "controller": true}]}, "spec": {"containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]}}), None)]
#[case::windows_exec("exec", json!({"spec": {"os": {"name": "windows"}}}), Some("windows_exec"))]
#[case::no_grace_period("never", json!({"spec": {"terminationGracePeriodSeconds": 0}}), Some("grace_zero"))]
fn whether_a_pod_counts(#[case] policy: &str, #[case] change: Value, #[case] reason: Option<&str>) {
    let pod = pod("web-1-a", &change);
    let settings = settings(preset(policy));
    let mut pods = RunningPods::default();
    pods.apply("shop", "web-1-a", CREATED, unprotected(&pod, settings.policy));
    let opt_in = NamespaceOptIn { is_opted_in: true, since: None };
    let found = pods.findings(&"shop".into(), &opt_in, &plain(), &settings);
    let found = found.first().map(|finding| finding.cause.as_str());
    assert_eq!(found, reason, "{change:#}");
    // An audit says the same, unless it is no problem or somebody has decided for it.
    let audited = audited(&pod, Some(&opt_in), |pod| pod.findings(&settings));
    let audited = audited.first().map(|finding| finding.name()).filter(|name| name.is_watched());
    let is_too_large = change["metadata"]["ownerReferences"][0]["name"]
        .as_str()
        .is_some_and(|name| name.len() > 253);
    if !is_too_large {
        assert_eq!(audited.map(|name| name.as_str()), reason, "{change:#}");
    }
}

#[rstest]
#[case::before_the_label(Some("2026-01-02T00:00:01Z"), "all", "created_before_opt_in")]
#[case::with_the_label(Some(CREATED), "all", "created_without_webhook")]
#[case::after_the_label(Some("2026-01-01T00:00:00Z"), "all", "created_without_webhook")]
#[case::before_the_route_that_does_not_matter(None, "all", "created_without_webhook")]
#[case::before_the_route(None, "targets", "created_before_route")]
#[case::before_both(Some(ROUTED), "targets", "created_before_opt_in")]
fn why_a_pod_has_no_hook(#[case] since: Option<&str>, #[case] policy: &str, #[case] reason: &str) {
    let settings = settings(preset(policy));
    let mut pods = RunningPods::default();
    for (name, created) in [("old", CREATED), ("new", "2026-01-09T00:00:00Z")] {
        let pod = unprotected(&pod(name, &json!({})), settings.policy);
        pods.apply("shop", name, created, pod);
    }
    let opt_in = NamespaceOptIn { is_opted_in: true, since: since.map(str::to_owned) };
    let found = pods.findings(&"shop".into(), &opt_in, &plain(), &settings);
    let found: BTreeMap<_, _> = found.iter().map(|it| (it.cause.as_str(), it.pods)).collect();
    let mut expected = BTreeMap::from([("created_without_webhook", 1)]);
    *expected.entry(reason).or_default() += 1;
    assert_eq!(found, expected, "the label is of {since:?}");
}

#[test]
fn only_pods_to_which_a_route_leads_are_found() {
    let mut pods = RunningPods::default();
    for (name, app) in [("a", "web"), ("b", "web"), ("c", "internal"), ("d", "worker")] {
        apply(&mut pods, "shop", name, &pod(name, &json!({"metadata": {"labels": {"app": app}}})));
    }
    apply(&mut pods, "other", "e", &pod("e", &json!({})));
    let expected = "2 Pods do not wait before they stop (upstream of ApisixRoute shop/route#all \
                    via Service web): created while the webhook did not answer, or before it was \
                    installed; Pods that start now wait";
    assert_eq!(texts(&look(&pods, "shop", &plain())), [expected]);
    assert_eq!(texts(&look(&pods, "other", &plain())), Vec::<String>::new());
    assert_eq!(texts(&look(&pods, "shop", &Snapshot::default())), Vec::<String>::new());
    pods.delete("shop", "a");
    pods.apply("shop", "b", CREATED, None);
    assert_eq!(texts(&look(&pods, "shop", &plain())), Vec::<String>::new());
    let changed: HashSet<_> = pods.take_changed().iter().map(ToString::to_string).collect();
    assert_eq!(changed, HashSet::from(["shop", "other"].map(str::to_owned)));
    assert!(pods.take_changed().is_empty());
}

#[rstest]
#[case("Deployment", "web", "try: kubectl -n shop rollout restart deployment/web")]
#[case("StatefulSet", "db", "try: kubectl -n shop rollout restart statefulset/db")]
#[case("DaemonSet", "node", "try: kubectl -n shop rollout restart daemonset/node")]
#[case("Rollout", "web", "Pods that start now wait")]
#[case::a_name_that_would_end_the_command(
    "Deployment",
    "web;id",
    "try: kubectl get pods --all-namespaces"
)]
#[case::a_name_that_clears_the_terminal(
    "Deployment",
    "a\nb\u{1b}[2J",
    "try: kubectl get pods --all-namespaces"
)]
#[case::a_kind_that_would_end_the_command("Deployment;id", "web", "Pods that start now wait")]
fn what_an_event_advises(#[case] kind: &str, #[case] name: &str, #[case] advice: &str) {
    let owner = json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true}]);
    let pod = pod("x", &json!({"metadata": {"ownerReferences": owner}}));
    let mut pods = RunningPods::default();
    apply(&mut pods, "shop", "x", &pod);
    let findings = texts(&look(&pods, "shop", &plain()));
    assert!(findings[0].ends_with(&format!("; {advice}")), "{findings:?}");
}

#[rstest]
#[case::no_sleep("", json!({}), "1 Pod does not wait before it stops", true)]
#[case::short("", json!({"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}), "1 Pod does not wait long enough before it stops", false)]
#[case::cut_off("", json!({"lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}), "1 Pod does not wait long enough before it stops", true)]
#[case::stops_the_server("", json!({"lifecycle": {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}}), "1 Pod does not wait before it stops", false)]
fn what_an_event_says_and_whether_there_is_one(
    #[case] policy: &str,
    #[case] container: Value,
    #[case] says: &str,
    #[case] is_announced: bool,
) {
    let mut with_name = json!({"name": "app"});
    json_patch::merge(&mut with_name, &container);
    let pod = pod("x", &json!({"spec": {"containers": [with_name]}}));
    let mut pods = RunningPods::default();
    pods.apply("shop", "x", CREATED, unprotected(&pod, preset(policy)));
    let findings = look(&pods, "shop", &plain());
    assert!(findings[0].to_string().starts_with(says), "{}", findings[0]);
    let mut announcements = Announcements::default();
    announcements.next([&*findings].into_iter(), Duration::ZERO);
    let announced = announcements.next([&*findings].into_iter(), SETTLED_AFTER);
    assert_eq!(announced.is_some(), is_announced, "{}", findings[0]);
    let is_short = findings[0].cause.protection() == Some(Protection::Short);
    assert_eq!(is_short, says.contains("long enough"), "{}", findings[0]);
}

#[test]
fn a_pod_without_a_controller_stands_for_itself() {
    let mut pods = RunningPods::default();
    for name in ["one", "two"] {
        let pod = pod(name, &json!({"metadata": {"ownerReferences": null}}));
        apply(&mut pods, "shop", name, &pod);
    }
    assert_eq!(look(&pods, "shop", &plain()).len(), 2);
}

#[rstest]
#[case(json!({"publishNotReadyAddresses": true}), &["not_ready_addresses"])]
#[case(json!({"selector": null}), &["selectorless"])]
#[case(json!({"type": "ExternalName", "externalName": "example.com", "selector": null}), &["external_name"])]
#[case(json!({}), &[])]
fn what_no_sleep_cures_is_found(#[case] spec: Value, #[case] causes: &[&str]) {
    let snapshot = snapshot(&[service("web", &spec)]);
    let findings = look(&RunningPods::default(), "shop", &snapshot);
    let services =
        findings.iter().filter(|finding| format!("{:?}", finding.subject).contains("Service"));
    let found: Vec<_> = services.map(|finding| finding.cause.as_str()).collect();
    assert_eq!(found, causes, "{findings:#?}");
}

#[test]
fn a_service_that_no_route_names_has_no_limits() {
    let snapshot = snapshot(&[service("internal", &json!({"publishNotReadyAddresses": true}))]);
    assert_eq!(snapshot.limits("shop"), []);
}

/// What can happen to Pods.
#[derive(Clone, Debug)]
enum Event {
    Apply(u8, u8, u8),
    Delete(u8, u8),
    /// A watch lists a namespace anew, or all of them.
    List(Option<u8>, Vec<(u8, u8)>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3u8, 0..6u8, 0..4u8).prop_map(|(ns, name, kind)| Event::Apply(ns, name, kind)),
        2 => (0..3u8, 0..6u8).prop_map(|(ns, name)| Event::Delete(ns, name)),
        1 => (prop::option::of(0..3u8), prop::collection::vec((0..6u8, 0..4u8), 0..6))
            .prop_map(|(ns, pods)| Event::List(ns, pods)),
    ]
}

/// A Pod of one of four kinds: two that are found, one that no route leads to, one that has a sleep.
fn of_kind(name: u8, kind: u8) -> Option<UnprotectedPod> {
    let app = ["web", "web", "worker", "web"][usize::from(kind)];
    let seconds = if kind == 1 { 60 } else { 5 };
    let lifecycle = match kind {
        1 | 3 => json!({"preStop": {"sleep": {"seconds": seconds}}}),
        _ => Value::Null,
    };
    let change = json!({
        "metadata": {"labels": {"app": app}},
        "spec": {"terminationGracePeriodSeconds": 30, "containers": [{"name": "app", "lifecycle": lifecycle}]},
    });
    unprotected(&pod(&name.to_string(), &change), Policy::default())
}

/// When a Pod was created: some at the same time.
fn created(name: u8, kind: u8) -> String {
    format!("2026-01-0{}T00:00:00Z", 1 + (name + kind) % 3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_what_is_found_is_what_is_there(events in prop::collection::vec(event(), 0..40)) {
        let snapshot = plain();
        // Some Pods are older than the opt-in, some are not.
        let opt_in = NamespaceOptIn { is_opted_in: true, since: Some(created(1, 0)) };
        let found = |pods: &RunningPods, namespace: &Arc<str>| {
            pods.findings(namespace, &opt_in, &snapshot, &settings(Policy::default()))
        };
        let mut pods = RunningPods::default();
        let mut there = BTreeMap::<(u8, u8), u8>::new();
        let mut shown = BTreeMap::<u8, Vec<String>>::new();
        let namespace = |ns: u8| if ns == 0 { "shop".to_owned() } else { format!("ns-{ns}") };
        for event in events {
            match event {
                Event::Apply(ns, name, kind) => {
                    pods.apply(&namespace(ns), &name.to_string(), &created(name, kind), of_kind(name, kind));
                    there.insert((ns, name), kind);
                }
                Event::Delete(ns, name) => {
                    pods.delete(&namespace(ns), &name.to_string());
                    there.remove(&(ns, name));
                }
                Event::List(only, listed) => {
                    let mut list = RunningPods::default();
                    there.retain(|(ns, _), _| only.is_some_and(|only| only != *ns));
                    for (name, kind) in listed {
                        let ns = only.unwrap_or(name % 3);
                        list.apply(&namespace(ns), &name.to_string(), &created(name, kind), of_kind(name, kind));
                        there.insert((ns, name), kind);
                    }
                    let only = only.map(namespace);
                    pods.replace(only.as_deref(), list);
                }
            }
            // Only what is said to have changed is looked at again.
            for changed in pods.take_changed() {
                let ns = (0..3).find(|ns| *namespace(*ns) == *changed).unwrap();
                shown.insert(ns, texts(&found(&pods, &changed)));
            }
            let mut fresh = RunningPods::default();
            for ((ns, name), kind) in &there {
                fresh.apply(&namespace(*ns), &name.to_string(), &created(*name, *kind), of_kind(*name, *kind));
            }
            for ns in 0..3 {
                let name = Arc::from(namespace(ns));
                let expected = texts(&found(&fresh, &name));
                let shown = shown.get(&ns).cloned().unwrap_or_default();
                prop_assert_eq!(&shown, &expected, "in {} with {:?}", name, there);
            }
        }
    }
}

#[test]
fn a_namespace_takes_no_more_than_its_share() {
    let mut pods = RunningPods::default();
    let long = "x".repeat(60);
    // Each Pod has labels of its own: nothing is shared.
    let labels = |i: usize| {
        let labels = (0..60).map(|n| (format!("{long}{n:03}"), json!(format!("{long}{i}"))));
        Value::Object(labels.chain([("app".to_owned(), json!("web"))]).collect())
    };
    for i in 0..2000 {
        let name = format!("pod-{i}");
        let pod = pod(&name, &json!({"metadata": {"labels": labels(i)}}));
        apply(&mut pods, "shop", &name, &pod);
    }
    let found = look(&pods, "shop", &plain())[0].pods;
    let each = 60 * (63 + 64);
    assert!(found < MAX_NAMESPACE_BYTES / each, "{found} Pods are kept");
    assert!(found > 100, "only {found} Pods are kept");
    // Another namespace has all of its own.
    apply(&mut pods, "other", "a", &pod("a", &json!({})));
    assert!(pods.take_changed().contains("other"));
    // What is gone makes room.
    for i in 0..2000 {
        pods.delete("shop", &format!("pod-{i}"));
    }
    apply(&mut pods, "shop", "last", &pod("last", &json!({})));
    assert_eq!(look(&pods, "shop", &plain())[0].pods, 1);
}

/// The findings of `workloads` ReplicaSets in a namespace.
fn findings(namespace: &str, workloads: usize) -> Vec<Finding> {
    let mut pods = RunningPods::default();
    for i in 0..workloads {
        let name = format!("web-{i:04}");
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": true}]);
        let pod = pod(&name, &json!({"metadata": {"ownerReferences": owner}}));
        apply(&mut pods, "shop", &name, &pod);
    }
    let mut findings = look(&pods, "shop", &plain());
    findings.iter_mut().for_each(|finding| finding.namespace = namespace.into());
    findings
}

#[test]
fn a_finding_is_announced_once_when_it_has_lasted() {
    let found = findings("shop", 1);
    let mut announcements = Announcements::default();
    let mut next = |findings: &[Finding], seconds| {
        let now = Duration::from_secs(seconds);
        let next = announcements.next([findings].into_iter(), now).cloned();
        if let Some(finding) = &next {
            announcements.announced(finding);
        }
        next.is_some()
    };
    let settled = SETTLED_AFTER.as_secs();
    assert!(!next(&found, 0), "it may end by itself");
    assert!(!next(&found, settled - 1), "it may still");
    assert!(!next(&[], settled), "it has");
    assert!(!next(&found, settled + 1), "this is a new one");
    assert!(!next(&found, 2 * settled));
    assert!(next(&found, 2 * settled + 1), "it has lasted");
    assert!(!next(&found, 2 * settled + 2), "once");
    assert!(!next(&found, 100 * settled), "for good");
}

#[test]
fn a_failed_announcement_is_tried_again_later() {
    let found = findings("shop", 1);
    let mut announcements = Announcements::default();
    let mut next = |now: Duration| {
        let next = announcements.next([&*found].into_iter(), now).cloned();
        if let Some(finding) = &next {
            announcements.failed(finding, now);
        }
        next.is_some()
    };
    assert!(!next(Duration::ZERO));
    assert!(next(SETTLED_AFTER));
    assert!(!next(SETTLED_AFTER + Duration::from_secs(1)), "not at once");
    assert!(next(2 * SETTLED_AFTER));
}

#[test]
fn a_namespace_with_thousands_of_findings_does_not_delay_another() {
    let (noisy, quiet) = (findings("noisy", 1000), findings("quiet", 2));
    let mut announcements = Announcements::default();
    let mut told = Vec::new();
    // The noisy one was first.
    announcements.next([&*noisy].into_iter(), Duration::ZERO);
    announcements.next([&*noisy, &*quiet].into_iter(), Duration::from_secs(1));
    for second in 0..2000 {
        let now = 2 * SETTLED_AFTER + Duration::from_secs(second);
        let next = announcements.next([&*noisy, &*quiet].into_iter(), now).cloned();
        if let Some(finding) = next {
            announcements.announced(&finding);
            told.push(finding.namespace.to_string());
        }
    }
    assert_eq!(
        told.iter().filter(|namespace| *namespace == "noisy").count(),
        MAX_FINDINGS_OF_A_NAMESPACE
    );
    let last_of_quiet = told.iter().rposition(|namespace| namespace == "quiet").unwrap();
    assert!(last_of_quiet < 4, "both of the quiet namespace come first: {:?}", &told[..8]);
}
