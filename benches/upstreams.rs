//! What it costs to know the upstreams of a large cluster: `make bench-upstreams`.
//!
//! Three clusters side by side, each ten times as large as the one before: where a figure grows with
//! the cluster, it shows.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and its own data are well-formed"
)]

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use apisix_prestop::{
    injection::Pod,
    protection::{AuditSettings, AuditedPod, NamespaceOptIn, PodLife, RunningPods, UnprotectedPod},
    upstreams::{
        ClusterObject, IngressController, Kind, ObjectId, Snapshot, Spec, StringMap, UpstreamIndex,
    },
};

/// Services and routes of a namespace.
const OF_A_NAMESPACE: usize = 5;
/// Pods of a Service. None of them has a sleep: those that have one take nothing.
const PODS_OF_A_SERVICE: usize = 10;
/// Namespaces of the largest cluster: 10,000 Services, 10,000 routes and 100,000 Pods.
const NAMESPACES: usize = 2000;

/// An object as the API server sends it: its kind, namespace and name, and the text of its spec.
type Listed = (Kind, String, String, String);

fn cluster(namespaces: usize) -> Vec<Listed> {
    let mut objects = vec![(
        Kind::IngressClass,
        String::new(),
        "apisix".to_owned(),
        r#"{"controller": "apisix.apache.org/apisix-ingress-controller"}"#.to_owned(),
    )];
    for place in 0..namespaces {
        let namespace = format!("team-{place}");
        objects.push((Kind::Namespace, String::new(), namespace.clone(), "{}".to_owned()));
        for service in 0..OF_A_NAMESPACE {
            let name = format!("service-{service}");
            let spec = format!(
                r#"{{"selector": {{"app.kubernetes.io/instance": "{name}", "app.kubernetes.io/name": "{name}"}},
                "ports": [{{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}}],
                "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "type": "ClusterIP",
                "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}}"#
            );
            objects.push((Kind::Service, namespace.clone(), name.clone(), spec));
            objects.push((Kind::ApisixRoute, namespace.clone(), name.clone(), route(&name)));
        }
    }
    objects
}

fn route(service: &str) -> String {
    format!(
        r#"{{"ingressClassName": "apisix", "http": [{{"name": "all",
        "match": {{"hosts": ["{service}.example.com"], "paths": ["/*"]}},
        "backends": [{{"serviceName": "{service}", "servicePort": 80, "weight": 100}}],
        "plugins": [{{"name": "limit-count", "enable": true, "config": {{"count": 10, "time_window": 1}}}}]}}]}}"#
    )
}

fn object((kind, namespace, name, spec): &Listed) -> ClusterObject {
    let id = ObjectId::new(*kind, namespace, name);
    let spec_read = Spec::read(*kind, spec).unwrap();
    ClusterObject::new(id, StringMap::default(), StringMap::default(), spec_read)
        .with_bytes(spec.len())
}

/// A running Pod as the API server sends it, without what nobody reads.
fn pod(service: &str, name: &str) -> String {
    format!(
        r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}", "uid": "6d1e4b9c-8f0a-4f9e-9a55-{name}",
        "labels": {{"app.kubernetes.io/instance": "{service}", "app.kubernetes.io/name": "{service}", "pod-template-hash": "6f97d6db58"}},
        "ownerReferences": [{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "{service}-6f97d6db58", "uid": "0c4f8f0e-9b51-4b61-b0f0-2f1d1f3f9a11", "controller": true}}]}},
        "spec": {{"containers": [{{"name": "app", "image": "registry.example.com/team/{service}:1.2.3",
        "ports": [{{"containerPort": 8080, "name": "http", "protocol": "TCP"}}],
        "resources": {{"requests": {{"cpu": "100m", "memory": "128Mi"}}}},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}}],
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30}}}}"#
    )
}

fn settings() -> AuditSettings {
    AuditSettings { is_installed: true, ..AuditSettings::default() }
}

/// Takes a Pod as a watch does.
fn apply(pods: &mut RunningPods, namespace: &str, service: usize, number: usize) {
    let service = format!("service-{service}");
    let name = format!("{service}-6f97d6db58-{number:05}");
    let text = pod(&service, &name);
    // The Pods of a ReplicaSet are created one after the other.
    let created = format!("2026-01-01T00:00:{:02}Z", number % 60);
    let audited = AuditedPod {
        pod: &serde_json::from_str::<Pod<'_>>(&text).unwrap(),
        life: PodLife::Running,
        created: &created,
        routed: None,
        namespace: None,
        is_probed: true,
        hook_failed: false,
    };
    pods.apply(namespace, &name, &created, UnprotectedPod::of(&audited, "", &settings()));
}

/// The resident memory of the process, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The best of several runs.
fn best(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    (0..runs).map(|_| run()).min().unwrap()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// How long a look-up takes.
fn look_up(snapshot: &Snapshot) -> Duration {
    const TIMES: u32 = 100_000;
    let labels = [
        ("app.kubernetes.io/component", "web"),
        ("app.kubernetes.io/instance", "service-3"),
        ("app.kubernetes.io/managed-by", "Helm"),
        ("app.kubernetes.io/name", "service-3"),
        ("app.kubernetes.io/version", "1.2.3"),
        ("pod-template-hash", "6f97d6db58"),
    ];
    best(10, || {
        let started = Instant::now();
        for _ in 0..TIMES {
            black_box(snapshot.target(black_box("team-1"), labels.iter().copied()));
        }
        started.elapsed() / TIMES
    })
}

fn main() {
    let empty = look_up(&Snapshot::default());
    println!(
        "{:>10} {:>9} {:>7} {:>12} {:>14} {:>20} {:>15}",
        "namespaces",
        "Services",
        "routes",
        "first sync",
        "one change",
        "decision, above none",
        "resident"
    );
    for namespaces in [NAMESPACES / 100, NAMESPACES / 10, NAMESPACES] {
        let listed = cluster(namespaces);
        let before = resident();
        let started = Instant::now();
        let mut index = UpstreamIndex::new(IngressController::default());
        for listed in &listed {
            index.apply(object(listed));
        }
        let mut snapshot = index.snapshot();
        let first_sync = started.elapsed();
        let resident = resident().saturating_sub(before);
        // Each change is another one, and its snapshot is held as the reviews hold theirs.
        let mut other = false;
        let change = best(100, || {
            other = !other;
            let service = if other { "service-4" } else { "service-0" };
            let listed =
                (Kind::ApisixRoute, "team-1".to_owned(), "service-0".to_owned(), route(service));
            let started = Instant::now();
            index.apply(object(&listed));
            snapshot = index.snapshot();
            started.elapsed()
        });
        let decision = look_up(&snapshot).saturating_sub(empty);
        println!(
            "{namespaces:>10} {:>9} {:>7} {:>9.0} ms {:>11.1} µs {:>17.2} µs {:>11.1} MiB",
            namespaces * OF_A_NAMESPACE,
            namespaces * OF_A_NAMESPACE,
            first_sync.as_secs_f64() * 1e3,
            micros(change),
            micros(decision),
            resident as f64 / f64::from(1 << 20),
        );
        measure_pods(namespaces, &snapshot);
    }
}

/// Adds a line about the Pods.
fn measure_pods(namespaces: usize, snapshot: &Snapshot) {
    let before = resident();
    let started = Instant::now();
    let mut pods = RunningPods::default();
    for place in 0..namespaces {
        let namespace = format!("team-{place}");
        for service in 0..OF_A_NAMESPACE {
            for number in 0..PODS_OF_A_SERVICE {
                apply(&mut pods, &namespace, service, number);
            }
        }
    }
    let opt_in = NamespaceOptIn { is_opted_in: true, since: None };
    let found = |pods: &mut RunningPods| -> usize {
        let changed = pods.take_changed();
        let findings = changed.iter().map(|it| pods.findings(it, &opt_in, snapshot, &settings()));
        findings.map(|findings| findings.len()).sum()
    };
    let workloads = found(&mut pods);
    let first_sync = started.elapsed();
    assert_eq!(workloads, namespaces * OF_A_NAMESPACE, "every workload is an upstream");
    let resident = resident().saturating_sub(before);
    let mut number = PODS_OF_A_SERVICE;
    let change = best(100, || {
        number += 1;
        let started = Instant::now();
        apply(&mut pods, "team-1", 0, number);
        black_box(found(&mut pods));
        started.elapsed()
    });
    println!(
        "{:>10} {:>17} {:>9.0} ms {:>11.1} µs {:>20} {:>11.1} MiB",
        "and",
        format!("{} Pods", namespaces * OF_A_NAMESPACE * PODS_OF_A_SERVICE),
        first_sync.as_secs_f64() * 1e3,
        micros(change),
        "",
        resident as f64 / f64::from(1 << 20),
    );
}
