//! The core, where a case in tests/cases would be too long or too little.

use apisix_prestop::{
    constants::MAX_NOTICES,
    injection::{Decision, NoticeName, Policy},
    units::Delay,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::plan::{notices, patch, patched, with_plan};

fn policy() -> Policy {
    Policy::default()
}

fn containers(containers: Value) -> Value {
    json!({
        "metadata": {},
        "spec": {"containers": containers, "terminationGracePeriodSeconds": 30},
    })
}

fn sleep(seconds: u32) -> Value {
    json!({"sleep": {"seconds": seconds}})
}

/// The API server validates a Pod only after the webhooks. If time or memory grew faster than the
/// Pod, this test would take minutes.
#[rstest]
#[case::to_add(json!({}))]
#[case::with_a_hook(json!({"preStop": {"exec": {"command": ["kill", "1"]}}}))]
fn a_pod_of_absurd_size_is_decided_too(#[case] lifecycle: Value) {
    const COUNT: usize = 50_000;
    let all = (0..COUNT).map(|i| json!({"name": format!("c{i}"), "lifecycle": lifecycle}));
    let mut pod = containers(all.collect());
    let list =
        |entry: &dyn Fn(usize) -> String| (0..COUNT).map(entry).collect::<Vec<_>>().join(",");
    pod["metadata"] = json!({"annotations": {
        "apisix-prestop/container-delays": list(&|i| format!("c{i}=1s")),
        "apisix-prestop/injected": list(&|i| format!("other{i}=1s")),
        format!("apisix-prestop/{}", "x".repeat(1_000_000)): "",
    }});
    with_plan(&pod, &policy(), |plan| {
        let containers = match &plan.decision {
            Decision::Inject(injection) => injection.containers.len(),
            Decision::Skip(_) => 0,
        };
        assert_eq!(containers, if lifecycle == json!({}) { COUNT } else { 0 });
        assert_eq!(plan.notices[0].name(), NoticeName::AnnotationUnknown, "{:?}", plan.notices[0]);
    });
}

#[test]
fn a_patch_only_ever_adds() {
    let before =
        containers(json!([{"name": "a"}, {"name": "b", "lifecycle": {"stopSignal": "SIGQUIT"}}]));
    let policy = Policy { delay: Delay::clamped(300), ..policy() };
    let patch = serde_json::to_value(patch(&before, &policy)).unwrap();
    assert_eq!(
        patch,
        json!([
            {"op": "add", "path": "/spec/containers/0/lifecycle", "value": {"preStop": sleep(300)}},
            {"op": "add", "path": "/spec/containers/1/lifecycle/preStop", "value": sleep(300)},
            {"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": 310},
            {"op": "add", "path": "/metadata/annotations",
             "value": {"apisix-prestop/injected": "a=300s,b=300s; grace 30s→310s"}},
        ])
    );
}

#[test]
fn thirty_containers_get_thirty_sleeps() {
    let many: Vec<_> = (0..30).map(|i| json!({"name": format!("c{i}")})).collect();
    let after = patched(&containers(json!(many)), &policy());
    let hooks = after["spec"]["containers"].as_array().unwrap();
    assert!(hooks.iter().all(|c| c["lifecycle"]["preStop"] == sleep(5)), "{after:#}");
}

#[test]
fn thousands_of_faults_make_a_few_notices() {
    let mut annotations = json!({"apisix-prestop/container-delays": "x,".repeat(50_000)});
    for i in 0..1000 {
        annotations[format!("apisix-prestop/unknown-{i}")] = json!("");
    }
    let mut before = containers(json!([{"name": "app"}]));
    before["metadata"]["annotations"] = annotations;
    assert_eq!(notices(&before, &policy()).len(), MAX_NOTICES);
}
