//! Pods and policies as they may come: for the properties, and for the real API server.

use apisix_prestop::{
    injection::{GracePolicy, Hook, Policy, Targets},
    units::{Delay, ShutdownReserve},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Any policy that the flags can come to.
pub fn policy() -> impl Strategy<Value = Policy> {
    let grace = select(vec![GracePolicy::Raise, GracePolicy::Extend, GracePolicy::Never]);
    let hook = select(vec![Hook::Sleep, Hook::Exec]);
    // Of the targets of these Pods nothing is known, so it makes no difference.
    let targets = Targets::All;
    (0..=3600u32, 0..=3600u32, 0..=3600u32, grace, hook, any::<bool>()).prop_map(
        move |(delay, max_delay, reserve, grace, hook, jobs)| Policy {
            delay: Delay::clamped(delay.min(max_delay)),
            max_delay: Delay::clamped(max_delay),
            shutdown_reserve: ShutdownReserve::clamped(reserve),
            hook,
            grace,
            jobs,
            targets,
        },
    )
}

fn exec(command: &[&str]) -> Value {
    json!({"exec": {"command": command}})
}

fn pre_stop() -> impl Strategy<Value = Value> {
    let commands: Vec<Value> = [
        &["sleep", "15"][..],
        &["/bin/sleep", "1m"],
        &["sh", "-c", "sleep 15s"],
        &["/bin/sh", "-c", "sleep 5"],
        &["sh", "-c", "sleep 5; nginx -s quit"],
        &["nginx", "-s", "quit"],
        &["/bin/sh", "-c", "echo \"it's\" 'quoted' $HOME \\ ü\nnext line"],
        &["kill", "-QUIT", "1"],
    ]
    .into_iter()
    .map(exec)
    .collect();
    prop_oneof![
        4 => select(commands),
        1 => Just(json!({"httpGet": {"path": "/quit", "port": 8080}})),
        3 => (0..60u32).prop_map(|seconds| json!({"sleep": {"seconds": seconds}})),
    ]
}

fn lifecycle() -> impl Strategy<Value = Option<Value>> {
    let post_start = exec(&["/started"]);
    prop_oneof![
        5 => Just(None),
        1 => Just(Some(json!({}))),
        1 => Just(Some(json!({"postStart": post_start}))),
        3 => pre_stop().prop_map(|hook| Some(json!({"preStop": hook}))),
        1 => pre_stop().prop_map(|hook| Some(json!({"postStart": exec(&["/started"]), "preStop": hook}))),
    ]
}

fn containers() -> impl Strategy<Value = Value> {
    let size = prop_oneof![9 => 1..5usize, 1 => Just(30usize)];
    let lifecycles = size.prop_flat_map(|size| vec(lifecycle(), size));
    lifecycles.prop_map(|lifecycles| {
        let containers = lifecycles.into_iter().enumerate().map(|(i, lifecycle)| {
            let mut container = json!({"name": format!("c{i}"), "image": "none"});
            if let Some(lifecycle) = lifecycle {
                container["lifecycle"] = lifecycle;
            }
            container
        });
        containers.collect()
    })
}

fn seconds() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (0..400u32).prop_map(|n| format!("{n}s")),
        2 => (0..100u32).prop_map(|n| n.to_string()),
        1 => (0..10u32, 0..60u32).prop_map(|(m, s)| format!("{m}m{s}s")),
        2 => "[ -~]{0,12}",
        1 => "\\PC{0,6}",
    ]
}

fn annotations() -> impl Strategy<Value = Option<Map<String, Value>>> {
    let container_delays = vec((0..6usize, seconds()), 0..4).prop_map(|delays| {
        let delays = delays.into_iter().map(|(i, delay)| format!("c{i}={delay}"));
        delays.collect::<Vec<_>>().join(",")
    });
    let hooks = select(vec!["keep", "prepend", "prepend", "append"]).prop_map(str::to_owned);
    let record = prop_oneof![
        Just("c0=5s; grace 30s→45s".to_owned()),
        Just("c0=5s{},c1=7s+hook; annotations {}".to_owned()),
        "[ -~]{0,20}",
    ];
    let entries = (
        option::weighted(0.4, seconds()),
        option::weighted(0.3, container_delays),
        option::weighted(0.2, seconds()),
        option::weighted(0.3, hooks),
        option::weighted(0.1, record),
        option::weighted(0.2, Just("x".to_owned())),
        any::<bool>(),
    );
    entries.prop_map(|(delay, delays, reserve, hook, injected, unknown, empty)| {
        let known = [
            ("apisix-prestop/delay", delay),
            ("apisix-prestop/container-delays", delays),
            ("apisix-prestop/shutdown-reserve", reserve),
            ("apisix-prestop/existing-hook", hook),
            ("apisix-prestop/injected", injected),
            ("apisix-prestop/unknown", unknown),
        ];
        let entries =
            known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
        let annotations: Map<_, _> = entries.collect();
        (empty || !annotations.is_empty()).then_some(annotations)
    })
}

fn owner() -> impl Strategy<Value = Option<Value>> {
    let of = |api_version: &str, kind: &str| json!([{"apiVersion": api_version, "kind": kind, "name": "owner", "uid": "0df28fbd", "controller": true}]);
    let owners =
        vec![of("apps/v1", "ReplicaSet"), of("batch/v1", "Job"), of("example.org/v1", "Job")];
    option::weighted(0.5, select(owners))
}

/// Any Pod, most of them valid by the API's rules.
pub fn pod() -> impl Strategy<Value = Value> {
    let label = option::weighted(0.2, select(vec!["disabled", "false", "enabled", "disable"]));
    let grace = option::weighted(0.7, prop_oneof![-1..40i64, Just(600), Just(7200)]);
    let os = option::weighted(0.15, select(vec!["linux", "windows"]));
    let selector =
        option::weighted(0.15, select(vec!["kubernetes.io/os", "beta.kubernetes.io/os"]));
    let init = option::weighted(0.2, select(vec!["Always", ""]));
    (containers(), annotations(), label, grace, owner(), (os, selector, init)).prop_map(
        |(containers, annotations, label, grace, owner, (os, selector, init))| {
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "generated"},
                "spec": {"containers": containers},
            });
            let mut set = |path: &str, value: Option<Value>| {
                let (parent, member) = path.rsplit_once('/').unwrap_or_default();
                if let (Some(value), Some(parent)) = (value, pod.pointer_mut(parent)) {
                    parent[member] = value;
                }
            };
            set("/metadata/annotations", annotations.map(Value::Object));
            set("/metadata/labels", label.map(|label| json!({"apisix-prestop/inject": label})));
            set("/metadata/ownerReferences", owner);
            set("/spec/terminationGracePeriodSeconds", grace.map(Value::from));
            set("/spec/os", os.map(|os| json!({"name": os})));
            set("/spec/nodeSelector", selector.map(|key| json!({key: "windows"})));
            set(
                "/spec/initContainers",
                init.map(|restart| match restart {
                    "" => json!([{"name": "init", "image": "none"}]),
                    restart => json!([{"name": "init", "image": "none", "restartPolicy": restart}]),
                }),
            );
            pod
        },
    )
}
