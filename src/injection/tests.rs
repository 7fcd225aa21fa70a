//! The truth table: each case is a Pod as it comes in, and what comes out.
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    Accepted, Context, Decision, GracePolicy, Hook, Instead, Notice, NoticeName, Plan, Pod, Policy,
    Reason, plan,
};
use crate::units::Delay;

fn policy() -> Policy {
    Policy::default()
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
    pod(json!({"annotations": {"apisix-prestop/delay": delay}}), json!({}))
}

fn containers(containers: Value) -> Value {
    pod(json!({}), json!({"containers": containers}))
}

fn with_plan<T>(pod: &Value, policy: &Policy, look: impl FnOnce(Plan<'_>) -> T) -> T {
    let json = pod.to_string();
    let view: Pod<'_> = serde_json::from_str(&json).unwrap();
    look(plan(&view, &Context::of(&view, policy)))
}

/// The Pod as it is after the answer.
fn patched(pod: &Value, policy: &Policy) -> Value {
    with_plan(pod, policy, |plan| {
        let mut after = pod.clone();
        if let Decision::Inject(injection) = plan.decision {
            let patch = injection.patch().unwrap();
            json_patch::patch(&mut after, &patch)
                .unwrap_or_else(|e| panic!("{patch} does not apply to {pod}: {e}"));
        }
        after
    })
}

fn malformed(key: &'static str, value: &str, maximum: u32, used: u32) -> Notice {
    let accepted = Accepted::Seconds(maximum);
    Notice::AnnotationMalformed {
        key,
        value: value.into(),
        accepted,
        instead: Instead::Seconds(used),
    }
}

fn above(key: &'static str, value: &str, maximum: u32) -> Notice {
    Notice::AnnotationAboveMaximum { key, value: value.into(), maximum }
}

fn notices(pod: &Value, policy: &Policy) -> Vec<Notice> {
    with_plan(pod, policy, |plan| plan.notices)
}

fn sleep(seconds: u32) -> Value {
    json!({"sleep": {"seconds": seconds}})
}

fn owned_by(api_version: &str, kind: &str) -> Value {
    let owner = json!({"apiVersion": api_version, "kind": kind, "name": "x", "uid": "u", "controller": true});
    pod(json!({"ownerReferences": [owner]}), json!({}))
}

#[rstest]
#[case::label_disabled(pod(json!({"labels": {"apisix-prestop/inject": "disabled"}}), json!({})), Reason::OptedOut)]
#[case::label_false(pod(json!({"labels": {"apisix-prestop/inject": "false"}}), json!({})), Reason::OptedOut)]
#[case::mirror_pod(pod(json!({"annotations": {"kubernetes.io/config.mirror": "5f"}}), json!({})), Reason::MirrorPod)]
#[case::job(owned_by("batch/v1", "Job"), Reason::Job)]
#[case::own_exec_hook(containers(json!([{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}])), Reason::HookPresent)]
#[case::own_http_hook(containers(json!([{"name": "app", "lifecycle": {"preStop": {"httpGet": {"port": 80}}}}])), Reason::HookPresent)]
#[case::own_sleep(containers(json!([{"name": "app", "lifecycle": {"preStop": sleep(1)}}])), Reason::HookPresent)]
#[case::own_sleep_of_zero(containers(json!([{"name": "app", "lifecycle": {"preStop": sleep(0)}}])), Reason::HookPresent)]
#[case::a_hook_of_an_unknown_kind(containers(json!([{"name": "app", "lifecycle": {"preStop": {"teleport": {}}}}])), Reason::HookPresent)]
#[case::every_container_has_one(containers(json!([
    {"name": "a", "lifecycle": {"preStop": sleep(1)}}, {"name": "b", "lifecycle": {"preStop": sleep(2)}}])), Reason::HookPresent)]
#[case::no_containers(containers(json!([])), Reason::HookPresent)]
#[case::copied_manifest(pod(json!({"annotations": {"apisix-prestop/injected": "app=5s"}}),
    json!({"containers": [{"name": "app", "lifecycle": {"preStop": sleep(5)}}]})), Reason::AlreadyInjected)]
#[case::delay_zero(annotated("0"), Reason::DelayZero)]
#[case::delay_zero_with_unit(annotated("0s"), Reason::DelayZero)]
#[case::delay_zero_for_the_only_container(
    pod(json!({"annotations": {"apisix-prestop/container-delays": "app=0"}}), json!({})), Reason::DelayZero)]
#[case::opted_out_wins_over_a_bad_delay(
    pod(json!({"labels": {"apisix-prestop/inject": "disabled"}, "annotations": {"apisix-prestop/delay": "x"}}), json!({})),
    Reason::OptedOut)]
fn is_left_alone(#[case] pod: Value, #[case] reason: Reason) {
    with_plan(&pod, &policy(), |plan| {
        assert_eq!(plan.decision, Decision::Skip(reason), "for {pod:#}");
        assert_eq!(plan.notices, [], "a Pod that is left alone needs no notice: {pod:#}");
    });
    assert_eq!(patched(&pod, &policy()), pod);
}

#[rstest]
#[case::os(json!({"os": {"name": "windows"}}))]
#[case::node_selector(json!({"nodeSelector": {"kubernetes.io/os": "windows"}}))]
#[case::old_node_selector(json!({"nodeSelector": {"beta.kubernetes.io/os": "windows"}}))]
fn windows_gets_the_native_sleep_or_none(#[case] spec: Value) {
    let before = pod(json!({}), spec);
    let exec = Policy { hook: Hook::Exec, ..policy() };
    with_plan(&before, &exec, |plan| {
        assert_eq!(plan.decision, Decision::Skip(Reason::WindowsExec));
        assert_eq!(plan.notices, [Notice::WindowsNeedsSleep]);
    });
    let after = patched(&before, &policy());
    assert_eq!(after["spec"]["containers"][0]["lifecycle"]["preStop"], sleep(5));
}

#[rstest]
#[case::policy_says_so(owned_by("batch/v1", "Job"), Policy { jobs: true, ..policy() })]
#[case::somebody_elses_job(owned_by("example.org/v1", "Job"), policy())]
#[case::replica_set(owned_by("apps/v1", "ReplicaSet"), policy())]
fn a_pod_of_another_owner_gets_the_hook(#[case] pod: Value, #[case] policy: Policy) {
    let after = patched(&pod, &policy);
    assert_eq!(after["spec"]["containers"][0]["lifecycle"]["preStop"], sleep(5), "{pod:#}");
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
    assert_eq!(after["spec"]["containers"][0]["lifecycle"], lifecycle, "from {before:#}");
}

#[test]
fn each_container_without_a_hook_gets_one_and_the_others_keep_theirs() {
    let own = json!({"preStop": {"exec": {"command": ["/quit"]}}});
    let before = containers(json!([
        {"name": "app"}, {"name": "proxy", "lifecycle": own}, {"name": "logs", "lifecycle": {}}]));
    let after = patched(&before, &policy());
    let hooks: Vec<_> =
        (0..3).map(|i| after["spec"]["containers"][i]["lifecycle"].clone()).collect();
    assert_eq!(hooks, [json!({"preStop": sleep(5)}), own, json!({"preStop": sleep(5)})]);
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
    assert_eq!(after["spec"]["ephemeralContainers"], others["ephemeralContainers"]);
}

#[test]
fn the_exec_hook_is_written_as_the_apisix_documentation_has_it() {
    let policy = Policy { hook: Hook::Exec, ..policy() };
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
    assert_eq!(after["spec"]["terminationGracePeriodSeconds"], expected, "from {before:#}");
}

#[rstest]
#[case::none(pod(json!({}), json!({})), 5, vec![])]
#[case::bare(annotated("15"), 15, vec![])]
#[case::seconds(annotated("15s"), 15, vec![])]
#[case::typo(annotated("15 sec"), 5, vec![malformed("apisix-prestop/delay", "15 sec", 300, 5)])]
#[case::empty(annotated(""), 5, vec![malformed("apisix-prestop/delay", "", 300, 5)])]
#[case::too_long(annotated("10m"), 300, vec![above("apisix-prestop/delay", "10m", 300)])]
#[case::far_too_long(annotated("9999999999999999999999"), 300, vec![above("apisix-prestop/delay", "9999999999999999999999", 300)])]
fn the_annotation_decides_the_delay(
    #[case] pod: Value,
    #[case] seconds: u32,
    #[case] notices: Vec<Notice>,
) {
    with_plan(&pod, &policy(), |plan| {
        let Decision::Inject(injection) = plan.decision else {
            panic!("expected an injection for {pod:#}, got {:?}", plan.decision);
        };
        assert_eq!((injection.longest_delay(), plan.notices), (Delay::clamped(seconds), notices));
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

/// Nobody has looked at the Pod's size yet: validation comes after the webhooks. Had the time or
/// the memory anything but a linear relation to it, this test would take minutes.
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
    let patch = with_plan(&before, &policy, |plan| match plan.decision {
        Decision::Inject(injection) => serde_json::to_value(injection).unwrap(),
        Decision::Skip(reason) => panic!("expected an injection, got {reason}"),
    });
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

/// The annotation after the answer.
fn injected(pod: &Value, policy: &Policy) -> Value {
    patched(pod, policy)["metadata"]["annotations"]["apisix-prestop/injected"].take()
}

#[rstest]
#[case::plain(pod(json!({}), json!({})), "app=5s")]
#[case::raised(pod(json!({}), json!({"terminationGracePeriodSeconds": 10})), "app=5s; grace 10s→15s")]
#[case::raised_from_the_default(
    pod(json!({"annotations": {"apisix-prestop/delay": "25"}}), json!({"terminationGracePeriodSeconds": null})),
    "app=25s; grace unset→35s")]
#[case::empty_lifecycle(containers(json!([{"name": "app", "lifecycle": {}}])), "app=5s{}")]
#[case::empty_annotations(pod(json!({"annotations": {}}), json!({})), "app=5s; annotations {}")]
#[case::garbage_is_replaced(pod(json!({"annotations": {"apisix-prestop/injected": "yes"}}), json!({})), "app=5s")]
#[case::two(
    pod(json!({"annotations": {"apisix-prestop/container-delays": "a=7s"}}), json!({"containers": [{"name": "a"}, {"name": "b"}]})),
    "a=7s,b=5s")]
fn the_annotation_tells_what_was_done(#[case] pod: Value, #[case] expected: &str) {
    assert_eq!(injected(&pod, &policy()), json!(expected), "for {pod:#}");
}

#[rstest]
#[case::keeps_the_rest("a=20s,b=0", vec![sleep(20), Value::Null, sleep(5)], vec![])]
#[case::white_space(" a = 1m , b=2s", vec![sleep(60), sleep(2), sleep(5)], vec![])]
#[case::wins_over_delay_even_when_shorter("c=1", vec![sleep(5), sleep(5), sleep(1)], vec![])]
#[case::no_such_container("d=1", vec![sleep(5), sleep(5), sleep(5)], vec![Notice::ContainerUnknown { name: "d".into() }])]
#[case::one_bad_entry("a=x,b=7", vec![sleep(5), sleep(7), sleep(5)], vec![bad_entry("a=x")])]
#[case::twice("a=1,a=2", vec![sleep(1), sleep(5), sleep(5)], vec![bad_entry("a=2")])]
#[case::no_delay("a", vec![sleep(5), sleep(5), sleep(5)], vec![bad_entry("a")])]
#[case::empty("", vec![sleep(5), sleep(5), sleep(5)], vec![bad_entry("")])]
#[case::trailing_comma("a=7,", vec![sleep(7), sleep(5), sleep(5)], vec![bad_entry("")])]
#[case::too_long("a=301", vec![sleep(300), sleep(5), sleep(5)],
    vec![above("apisix-prestop/container-delays", "a=301", 300)])]
fn single_containers_can_have_their_own_delay(
    #[case] value: &str,
    #[case] hooks: Vec<Value>,
    #[case] expected: Vec<Notice>,
) {
    let before = pod(
        json!({"annotations": {"apisix-prestop/container-delays": value}}),
        json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
    );
    let after = patched(&before, &policy());
    let got: Vec<_> =
        (0..3).map(|i| after["spec"]["containers"][i]["lifecycle"]["preStop"].clone()).collect();
    assert_eq!((got, notices(&before, &policy())), (hooks, expected), "{value:?}");
}

fn bad_entry(value: &str) -> Notice {
    Notice::AnnotationMalformed {
        key: "apisix-prestop/container-delays",
        value: value.into(),
        accepted: Accepted::ContainerDelay,
        instead: Instead::Nothing,
    }
}

#[rstest]
#[case::shorter("0", 10, vec![])]
#[case::longer("1m", 65, vec![])]
#[case::typo("long", 15, vec![malformed("apisix-prestop/shutdown-reserve", "long", 3600, 10)])]
#[case::too_long("2h", 3605, vec![above("apisix-prestop/shutdown-reserve", "2h", 3600)])]
#[case::above_the_maximum("3601", 3605, vec![above("apisix-prestop/shutdown-reserve", "3601", 3600)])]
fn a_pod_can_keep_more_or_less_for_its_shutdown(
    #[case] value: &str,
    #[case] grace: i64,
    #[case] expected: Vec<Notice>,
) {
    let before = pod(
        json!({"annotations": {"apisix-prestop/shutdown-reserve": value}}),
        json!({"terminationGracePeriodSeconds": 10}),
    );
    let after = patched(&before, &policy())["spec"]["terminationGracePeriodSeconds"].take();
    assert_eq!((after, notices(&before, &policy())), (json!(grace), expected), "{value:?}");
}

fn with_exec(command: Value, annotations: Value) -> Value {
    pod(
        json!({"annotations": annotations}),
        json!({"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": command}}}}]}),
    )
}

fn prepend() -> Value {
    json!({"apisix-prestop/existing-hook": "prepend"})
}

#[test]
fn a_sleep_goes_in_front_of_an_exec_hook_and_nothing_has_to_be_quoted() {
    let own = json!(["/bin/sh", "-c", "echo \"it's\" $HOME; nginx -s quit", "x y"]);
    let before = with_exec(own, prepend());
    let after = patched(&before, &policy());
    let command = &after["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"];
    let expected = json!([
        "/bin/sh",
        "-c",
        "sleep \"$0\"; exec \"$@\"",
        "5",
        "/bin/sh",
        "-c",
        "echo \"it's\" $HOME; nginx -s quit",
        "x y"
    ]);
    assert_eq!(*command, expected);
    assert_eq!(injected(&before, &policy()), json!("app=5s+hook"));
    assert_eq!(patched(&after, &policy()), after, "it is prepended once");
    assert_eq!(notices(&before, &policy()), []);
}

#[rstest]
#[case::http(json!({"httpGet": {"port": 80}}), json!({}))]
#[case::windows(json!({"exec": {"command": ["quit.exe"]}}), json!({"os": {"name": "windows"}}))]
#[case::empty_command(json!({"exec": {}}), json!({}))]
fn a_hook_that_nothing_can_be_prepended_to_is_kept(#[case] hook: Value, #[case] spec: Value) {
    let mut before = pod(json!({"annotations": prepend()}), spec);
    before["spec"]["containers"][0]["lifecycle"] = json!({"preStop": hook});
    assert_eq!(patched(&before, &policy()), before);
    assert_eq!(
        notices(&before, &policy()),
        [Notice::HookNotPrependable { container: "app".into() }]
    );
}

#[test]
fn a_hook_that_sleeps_already_is_not_prepended_to() {
    let before = with_exec(json!(["sleep", "15"]), prepend());
    assert_eq!(patched(&before, &policy()), before);
}

#[test]
fn another_word_than_keep_or_prepend_means_keep() {
    let before = with_exec(json!(["/quit"]), json!({"apisix-prestop/existing-hook": "append"}));
    assert_eq!(patched(&before, &policy()), before);
    let expected = Notice::AnnotationMalformed {
        key: "apisix-prestop/existing-hook",
        value: "append".into(),
        accepted: Accepted::ExistingHook,
        instead: Instead::Keep,
    };
    assert_eq!(notices(&before, &policy()), [expected]);
}

#[rstest]
#[case::typo("apisix-prestop/delya", "apisix-prestop/delay")]
#[case::plural("apisix-prestop/container-delay", "apisix-prestop/container-delays")]
#[case::no_dash("apisix-prestop/existinghook", "apisix-prestop/existing-hook")]
fn an_unknown_annotation_is_told_with_the_nearest_known_one(
    #[case] key: &str,
    #[case] nearest: &'static str,
) {
    let before = pod(json!({"annotations": {key: "5"}}), json!({}));
    assert_eq!(
        notices(&before, &policy()),
        [Notice::AnnotationUnknown { key: key.into(), nearest }]
    );
}

#[rstest]
#[case::enabled("enabled", false)]
#[case::truth("true", false)]
#[case::typo("disable", true)]
#[case::empty("", true)]
fn a_label_on_a_pod_that_means_nothing_is_told(#[case] value: &str, #[case] told: bool) {
    let before = pod(json!({"labels": {"apisix-prestop/inject": value}}), json!({}));
    let expected = told.then(|| Notice::LabelUnknown { value: value.into() });
    assert_eq!(notices(&before, &policy()), Vec::from_iter(expected), "{value:?}");
    assert_ne!(patched(&before, &policy()), before, "it is injected all the same");
}

#[rstest]
#[case::nginx(json!(["nginx", "-s", "quit"]), 30, vec![Notice::HookEndsListener { container: "app".into() }])]
#[case::cut_off(json!(["sleep", "30"]), 30, vec![Notice::HookCutOff { container: "app".into(), sleep: 30, grace: 30 }])]
#[case::fits(json!(["sleep", "29"]), 30, vec![])]
#[case::unknown(json!(["/drain"]), 30, vec![])]
fn a_hook_that_is_kept_is_looked_at(
    #[case] command: Value,
    #[case] grace: i64,
    #[case] expected: Vec<Notice>,
) {
    let mut before = with_exec(command, json!({}));
    before["spec"]["terminationGracePeriodSeconds"] = json!(grace);
    assert_eq!(notices(&before, &policy()), expected);
    assert_eq!(patched(&before, &policy()), before);
}

/// A Pod of a container without a hook, and one that sleeps for `seconds` by itself.
fn beside_a_sleeper(seconds: u64, grace: i64) -> Value {
    pod(
        json!({}),
        json!({
            "containers": [
                {"name": "app"},
                {"name": "own", "lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}}],
            "terminationGracePeriodSeconds": grace,
        }),
    )
}

#[rstest]
#[case::ours_is_longest(2, 30, 30)]
#[case::theirs_needs_more(40, 45, 50)]
#[case::theirs_is_longer_than_the_grace_period(40, 30, 50)]
#[case::theirs_is_no_measure(301, 320, 320)]
fn the_users_own_sleeps_count_for_the_grace_period(
    #[case] seconds: u64,
    #[case] grace: i64,
    #[case] expected: i64,
) {
    let after = patched(&beside_a_sleeper(seconds, grace), &policy());
    assert_eq!(after["spec"]["terminationGracePeriodSeconds"], expected);
}

#[rstest]
#[case::zero(0)]
#[case::negative(-3)]
fn a_grace_period_of_nothing_is_raised_and_told(#[case] grace: i64) {
    let before = pod(json!({}), json!({"terminationGracePeriodSeconds": grace}));
    assert_eq!(patched(&before, &policy())["spec"]["terminationGracePeriodSeconds"], 15);
    assert_eq!(notices(&before, &policy()), [Notice::GraceZero { grace, raised_to: 15 }]);
}

#[test]
fn extend_adds_the_sleep_and_does_it_once() {
    let policy = Policy { grace: GracePolicy::Extend, ..policy() };
    let mut once = patched(&pod(json!({}), json!({})), &policy);
    assert_eq!(once["spec"]["terminationGracePeriodSeconds"], 35);
    // Another webhook adds a sidecar, and the API server asks again.
    once["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "mesh"}));
    let twice = patched(&once, &policy);
    assert_eq!(twice["spec"]["terminationGracePeriodSeconds"], 35, "not 40");
    assert_eq!(twice["spec"]["containers"][1]["lifecycle"]["preStop"], sleep(5));
    let record = &twice["metadata"]["annotations"]["apisix-prestop/injected"];
    assert_eq!(*record, json!("app=5s,mesh=5s; grace 30s→35s"));
}

#[rstest]
#[case::fits(30, 5, vec![])]
#[case::short(12, 5, vec![Notice::GraceTooShort { grace: 12, needed: 15 }])]
#[case::cut(3, 3, vec![Notice::GraceTooShort { grace: 3, needed: 15 }])]
fn never_cuts_the_sleep_to_the_grace_period(
    #[case] grace: i64,
    #[case] seconds: u32,
    #[case] expected: Vec<Notice>,
) {
    let policy = Policy { grace: GracePolicy::Never, ..policy() };
    let before = pod(json!({}), json!({"terminationGracePeriodSeconds": grace}));
    let after = patched(&before, &policy);
    assert_eq!(after["spec"]["terminationGracePeriodSeconds"], grace);
    assert_eq!(after["spec"]["containers"][0]["lifecycle"]["preStop"], sleep(seconds));
    assert_eq!(notices(&before, &policy), expected);
}

#[test]
fn never_leaves_a_pod_without_any_grace_period_alone() {
    let policy = Policy { grace: GracePolicy::Never, ..policy() };
    let before = pod(json!({}), json!({"terminationGracePeriodSeconds": 0}));
    with_plan(&before, &policy, |plan| {
        assert_eq!(plan.decision, Decision::Skip(Reason::GraceZero));
        assert_eq!(plan.notices, [Notice::GraceTooShort { grace: 0, needed: 15 }]);
    });
}

#[test]
fn a_template_without_metadata_gets_some() {
    let before = json!({"spec": {"containers": [{"name": "app"}]}});
    let after = patched(&before, &policy());
    assert_eq!(after["metadata"], json!({"annotations": {"apisix-prestop/injected": "app=5s"}}));
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
    let before = pod(json!({"annotations": annotations}), json!({}));
    assert_eq!(notices(&before, &policy()).len(), crate::constants::MAX_NOTICES);
}
