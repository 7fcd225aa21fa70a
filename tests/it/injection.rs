//! The core, where a case in tests/cases would be too long or too little.

use apisix_prestop::{
    constants::{MAX_ANNOTATIONS_BYTES, MAX_CONTAINERS, MAX_NOTICES},
    injection::{Decision, Notice, NoticeName, Policy, Reason},
    units::Delay,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::plan::{answer, applied, notices, patch, patch_in, patched, review_of, with_plan};

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
#[case::to_add(MAX_CONTAINERS, json!({}), Reason::HookMissing)]
#[case::with_a_hook(MAX_CONTAINERS, json!({"preStop": {"exec": {"command": ["kill", "1"]}}}), Reason::HookPresent)]
#[case::one_too_many(MAX_CONTAINERS + 1, json!({}), Reason::TooLarge)]
#[case::absurdly_many(50_000, json!({}), Reason::TooLarge)]
fn a_pod_of_absurd_size_is_decided_too(
    #[case] count: usize,
    #[case] lifecycle: Value,
    #[case] reason: Reason,
) {
    const COUNT: usize = 2_000;
    let all = (0..count).map(|i| json!({"name": format!("c{i}"), "lifecycle": lifecycle}));
    let mut pod = containers(all.collect());
    let list =
        |entry: &dyn Fn(usize) -> String| (0..COUNT).map(entry).collect::<Vec<_>>().join(",");
    pod["metadata"] = json!({"annotations": {
        "apisix-prestop/container-delays": list(&|i| format!("c{i}=1s")),
        "apisix-prestop/injected": list(&|i| format!("other{i}=1s")),
        format!("apisix-prestop/{}", "x".repeat(100_000)): "",
    }});
    with_plan(&pod, &policy(), |plan| {
        assert_eq!(plan.decision.reason(), reason);
        if let Decision::Inject(injection) = &plan.decision {
            assert_eq!(injection.containers.len(), count);
        }
        let first = plan.notices.first().map(Notice::name);
        let expected = (reason != Reason::TooLarge).then_some(NoticeName::AnnotationUnknown);
        assert_eq!(first, expected, "{:?}", plan.notices);
    });
}

/// The API server rejects a Pod whose annotations are longer than its limit, so ours must fit.
#[rstest]
#[case::with_room("apisix-prestop/injectedapp=5s".len(), true)]
#[case::one_byte_short("apisix-prestop/injectedapp=5s".len() - 1, false)]
#[case::full(0, false)]
fn a_pod_without_room_for_our_annotation_is_injected_without_it(
    #[case] room: usize,
    #[case] is_recorded: bool,
) {
    let mut pod = containers(json!([{"name": "app"}]));
    // Escapes take more bytes in the body than in the Pod.
    let filler = "\"".repeat(MAX_ANNOTATIONS_BYTES - room - "filler".len());
    pod["metadata"]["annotations"] = json!({"filler": filler});
    let body = review_of(&pod).to_string();
    let answer = answer(body.as_bytes(), &policy(), |_| {}).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let after = applied(&patch_in(&answer["response"]).unwrap(), &pod);
    assert_eq!(after["spec"]["containers"][0]["lifecycle"]["preStop"], sleep(5));
    let record = &after["metadata"]["annotations"]["apisix-prestop/injected"];
    assert_eq!(record.is_string(), is_recorded, "{record}");
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
