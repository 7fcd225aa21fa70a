//! The truth table: each case is a Pod as it comes in, and what comes out.
use rstest::rstest;
use serde_json::{Value, json};

use super::{Decision, Hook, Notice, Plan, Pod, Policy, Reason, plan};
use crate::seconds::{Delay, ShutdownReserve};

fn policy() -> Policy {
    Policy {
        delay: Delay::clamped(5),
        shutdown_reserve: ShutdownReserve::clamped(10),
        hook: Hook::Sleep,
    }
}

/// A Pod of one container, `app`, with `metadata` and whatever `spec` adds to it.
fn pod(metadata: Value, spec: Value) -> Value {
    let mut pod = json!({
        "metadata": metadata,
        "spec": {"containers": [{"name": "app"}], "terminationGracePeriodSeconds": 30},
    });
    json_patch::merge(&mut pod["spec"], &spec);
    pod
}

fn annotated(delay: &str) -> Value {
    pod(
        json!({"annotations": {"apisix-prestop/delay": delay}}),
        json!({}),
    )
}

fn containers(containers: Value) -> Value {
    pod(json!({}), json!({"containers": containers}))
}

fn with_plan<T>(pod: &Value, policy: &Policy, look: impl FnOnce(Plan<'_>) -> T) -> T {
    let json = pod.to_string();
    let view: Pod<'_> = serde_json::from_str(&json).unwrap();
    look(plan(&view, policy))
}

/// The Pod as it is after the answer.
fn patched(pod: &Value, policy: &Policy) -> Value {
    with_plan(pod, policy, |plan| {
        let mut after = pod.clone();
        if let Decision::Inject(injection) = plan.decision {
            let patch = injection.patch();
            json_patch::patch(&mut after, &patch)
                .unwrap_or_else(|e| panic!("{patch} does not apply to {pod}: {e}"));
        }
        after
    })
}

fn sleep(seconds: u32) -> Value {
    json!({"sleep": {"seconds": seconds}})
}

#[rstest]
#[case::label_disabled(pod(json!({"labels": {"apisix-prestop/inject": "disabled"}}), json!({})), Reason::OptedOut)]
#[case::label_false(pod(json!({"labels": {"apisix-prestop/inject": "false"}}), json!({})), Reason::OptedOut)]
#[case::mirror_pod(pod(json!({"annotations": {"kubernetes.io/config.mirror": "5f"}}), json!({})), Reason::MirrorPod)]
#[case::own_exec_hook(containers(json!([{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}])), Reason::HookPresent)]
#[case::own_http_hook(containers(json!([{"name": "app", "lifecycle": {"preStop": {"httpGet": {"port": 80}}}}])), Reason::HookPresent)]
#[case::own_sleep(containers(json!([{"name": "app", "lifecycle": {"preStop": sleep(1)}}])), Reason::HookPresent)]
#[case::every_container_has_one(containers(json!([
    {"name": "a", "lifecycle": {"preStop": sleep(1)}}, {"name": "b", "lifecycle": {"preStop": sleep(2)}}])), Reason::HookPresent)]
#[case::no_containers(containers(json!([])), Reason::HookPresent)]
#[case::delay_zero(annotated("0"), Reason::DelayZero)]
#[case::delay_zero_with_unit(annotated("0s"), Reason::DelayZero)]
#[case::opted_out_wins_over_a_bad_delay(
    pod(json!({"labels": {"apisix-prestop/inject": "disabled"}, "annotations": {"apisix-prestop/delay": "x"}}), json!({})),
    Reason::OptedOut)]
fn is_left_alone(#[case] pod: Value, #[case] reason: Reason) {
    with_plan(&pod, &policy(), |plan| {
        assert_eq!(plan.decision, Decision::Skip(reason), "for {pod:#}");
        assert_eq!(
            plan.notices,
            [],
            "a Pod that is left alone needs no notice: {pod:#}"
        );
    });
    assert_eq!(patched(&pod, &policy()), pod);
}

#[rstest]
#[case::no_lifecycle(json!({"name": "app"}), json!({"preStop": sleep(5)}))]
#[case::null_lifecycle(json!({"name": "app", "lifecycle": null}), json!({"preStop": sleep(5)}))]
#[case::empty_lifecycle(json!({"name": "app", "lifecycle": {}}), json!({"preStop": sleep(5)}))]
#[case::null_pre_stop(json!({"name": "app", "lifecycle": {"preStop": null}}), json!({"preStop": sleep(5)}))]
#[case::post_start_is_kept(
    json!({"name": "app", "lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}),
    json!({"postStart": {"exec": {"command": ["x"]}}, "preStop": sleep(5)}))]
#[case::stop_signal_is_kept(
    json!({"name": "app", "lifecycle": {"stopSignal": "SIGQUIT"}}),
    json!({"stopSignal": "SIGQUIT", "preStop": sleep(5)}))]
fn a_container_gets_the_hook(#[case] container: Value, #[case] lifecycle: Value) {
    let mut before = containers(json!([]));
    before["spec"]["containers"] = json!([container]);
    let after = patched(&before, &policy());
    assert_eq!(
        after["spec"]["containers"][0]["lifecycle"], lifecycle,
        "from {before:#}"
    );
}

#[test]
fn each_container_without_a_hook_gets_one_and_the_others_keep_theirs() {
    let own = json!({"preStop": {"exec": {"command": ["/quit"]}}});
    let before = containers(json!([
        {"name": "app"}, {"name": "proxy", "lifecycle": own}, {"name": "logs", "lifecycle": {}}]));
    let after = patched(&before, &policy());
    let hooks: Vec<_> = (0..3)
        .map(|i| after["spec"]["containers"][i]["lifecycle"].clone())
        .collect();
    assert_eq!(
        hooks,
        [
            json!({"preStop": sleep(5)}),
            own,
            json!({"preStop": sleep(5)})
        ]
    );
}

#[test]
fn init_and_ephemeral_containers_are_left_alone() {
    let others = json!({
        "initContainers": [{"name": "migrate"}, {"name": "mesh", "restartPolicy": "Always"}],
        "ephemeralContainers": [{"name": "debugger"}],
    });
    let before = pod(json!({}), others.clone());
    let after = patched(&before, &policy());
    assert_eq!(after["spec"]["initContainers"], others["initContainers"]);
    assert_eq!(
        after["spec"]["ephemeralContainers"],
        others["ephemeralContainers"]
    );
}

#[test]
fn the_exec_hook_is_written_as_the_apisix_documentation_has_it() {
    let policy = Policy {
        hook: Hook::Exec,
        ..policy()
    };
    let after = patched(&annotated("15s"), &policy);
    let expected = json!({"preStop": {"exec": {"command": ["/bin/sh", "-c", "sleep 15"]}}});
    assert_eq!(after["spec"]["containers"][0]["lifecycle"], expected);
}

#[rstest]
#[case::policy_fits_in_the_default(pod(json!({}), json!({})), 30)]
#[case::absent_and_enough(pod(json!({}), json!({"terminationGracePeriodSeconds": null})), None::<i64>)]
#[case::short(pod(json!({}), json!({"terminationGracePeriodSeconds": 10})), 15)]
#[case::zero(pod(json!({}), json!({"terminationGracePeriodSeconds": 0})), 15)]
#[case::long_delay(annotated("25s"), 35)]
fn the_grace_period_is_raised_only_where_needed(
    #[case] before: Value,
    #[case] grace: impl Into<Option<i64>>,
) {
    let after = patched(&before, &policy());
    let expected = grace.into().map_or(Value::Null, Value::from);
    assert_eq!(
        after["spec"]["terminationGracePeriodSeconds"], expected,
        "from {before:#}"
    );
}

#[rstest]
#[case::none(pod(json!({}), json!({})), 5, vec![])]
#[case::bare(annotated("15"), 15, vec![])]
#[case::seconds(annotated("15s"), 15, vec![])]
#[case::typo(annotated("15 sec"), 5,
    vec![Notice::DelayMalformed { value: "15 sec".into(), used: Delay::clamped(5) }])]
#[case::empty(annotated(""), 5,
    vec![Notice::DelayMalformed { value: String::new(), used: Delay::clamped(5) }])]
#[case::too_long(annotated("10m"), 300, vec![Notice::DelayAboveMaximum { value: "10m".into() }])]
fn the_annotation_decides_the_delay(
    #[case] pod: Value,
    #[case] seconds: u32,
    #[case] notices: Vec<Notice>,
) {
    with_plan(&pod, &policy(), |plan| {
        let Decision::Inject(injection) = plan.decision else {
            panic!("expected an injection for {pod:#}, got {:?}", plan.decision);
        };
        assert_eq!(
            (injection.delay, plan.notices),
            (Delay::clamped(seconds), notices)
        );
    });
}

#[rstest]
#[case::plain(pod(json!({}), json!({})))]
#[case::grace_raised(pod(json!({}), json!({"terminationGracePeriodSeconds": 1})))]
#[case::mixed(containers(json!([{"name": "a"}, {"name": "b", "lifecycle": {"preStop": sleep(9)}}])))]
#[case::bad_annotation(annotated("never"))]
fn a_second_look_changes_nothing(
    #[case] before: Value,
    #[values(Hook::Sleep, Hook::Exec)] hook: Hook,
) {
    let policy = Policy { hook, ..policy() };
    let once = patched(&before, &policy);
    assert_ne!(once, before, "the first look should have added a hook");
    assert_eq!(patched(&once, &policy), once);
}

#[test]
fn a_patch_only_ever_adds() {
    let before =
        containers(json!([{"name": "a"}, {"name": "b", "lifecycle": {"stopSignal": "SIGQUIT"}}]));
    let policy = Policy {
        delay: Delay::MAX,
        ..policy()
    };
    let patch = with_plan(&before, &policy, |plan| match plan.decision {
        Decision::Inject(injection) => serde_json::to_value(injection.patch()).unwrap(),
        Decision::Skip(reason) => panic!("expected an injection, got {reason}"),
    });
    assert_eq!(
        patch,
        json!([
            {"op": "add", "path": "/spec/containers/0/lifecycle", "value": {"preStop": sleep(300)}},
            {"op": "add", "path": "/spec/containers/1/lifecycle/preStop", "value": sleep(300)},
            {"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": 310},
        ])
    );
}
