//! The truth table in docs/decisions.md, row by row, with an example of each.

use apisix_prestop::{
    admission,
    injection::{Decision, GracePolicy, Hook, Policy, Reason},
};
use serde_json::{Value, json};
use strum::VariantArray;

/// A row: the case as the page has it, the reason, and a request that is an example of it.
struct Row {
    case: &'static str,
    reason: Reason,
    request: Value,
    policy: Policy,
}

/// The creation of a Pod of one container, with `change` merged into the request.
fn create(change: Value) -> Value {
    let mut request = json!({
        "uid": "1", "namespace": "shop", "operation": "CREATE",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "object": {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app"}]}},
    });
    json_patch::merge(&mut request, &change);
    request
}

fn row(case: &'static str, reason: Reason, change: Value) -> Row {
    Row { case, reason, request: create(change), policy: Policy::default() }
}

fn rows() -> Vec<Row> {
    let metadata = |metadata: Value| json!({"object": {"metadata": metadata}});
    let sleeping = json!([{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]);
    let job = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]);
    vec![
        row(
            "the request is not the creation of a Pod, or is for a subresource",
            Reason::NotPodCreate,
            json!({"subResource": "eviction"}),
        ),
        row(
            "the Pod carries the label `apisix-prestop/inject: disabled` (or `\"false\"`)",
            Reason::OptedOut,
            metadata(json!({"labels": {"apisix-prestop/inject": "disabled"}})),
        ),
        row(
            "the Pod is the API object of a static Pod (annotation `kubernetes.io/config.mirror`)",
            Reason::MirrorPod,
            metadata(json!({"annotations": {"kubernetes.io/config.mirror": "5f"}})),
        ),
        row(
            "a Job (batch/v1) controls the Pod, and the policy does not include Jobs",
            Reason::Job,
            metadata(json!({"ownerReferences": job})),
        ),
        row(
            "it has its sleeps from an earlier look: a second call, or a copied manifest",
            Reason::AlreadyInjected,
            json!({"object": {
                "metadata": {"annotations": {"apisix-prestop/injected": "app=5s"}},
                "spec": {"containers": sleeping}}}),
        ),
        row(
            "every container has a preStop hook of its own",
            Reason::HookPresent,
            json!({"object": {"spec": {"containers": sleeping}}}),
        ),
        row(
            "the delay is 0 for every container that lacks a hook",
            Reason::DelayZero,
            metadata(json!({"annotations": {"apisix-prestop/delay": "0"}})),
        ),
        Row {
            policy: Policy { hook: Hook::Exec, ..Policy::default() },
            ..row(
                "the Pod runs on Windows, and the hook is `exec`",
                Reason::WindowsExec,
                json!({"object": {"spec": {"os": {"name": "windows"}}}}),
            )
        },
        Row {
            policy: Policy { grace: GracePolicy::Never, ..Policy::default() },
            ..row(
                "the grace period is 0 or less, and the policy is never to change it",
                Reason::GraceZero,
                json!({"object": {"spec": {"terminationGracePeriodSeconds": 0}}}),
            )
        },
        row("none of the above", Reason::HookMissing, json!({})),
    ]
}

#[test]
fn the_page_has_exactly_these_rows() {
    let page = include_str!("../../docs/decisions.md");
    let (_, rest) = page.split_once("| case | reason | answer |\n|---|---|---|\n").unwrap();
    let table: Vec<_> = rest.lines().take_while(|line| line.starts_with('|')).collect();
    let expected: Vec<_> = rows()
        .iter()
        .map(|Row { case, reason, .. }| {
            let answer = if *reason == Reason::HookMissing { "injected" } else { "unchanged" };
            format!("| {case} | `{reason}` | {answer} |")
        })
        .collect();
    assert_eq!(table, expected);
    let reasons: Vec<_> = rows().iter().map(|row| row.reason).collect();
    assert_eq!(
        reasons,
        Reason::VARIANTS,
        "every reason has its row, in the order in which they match"
    );
}

#[test]
fn each_row_is_what_the_code_does() {
    for Row { case, reason, request, policy } in rows() {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let body = review.to_string();
        let request = admission::read(body.as_bytes()).unwrap();
        let plan = admission::decide(&request, &policy);
        assert_eq!(plan.decision.reason(), reason, "{case}: {body}");
        let injected = matches!(plan.decision, Decision::Inject(_));
        assert_eq!(injected, reason == Reason::HookMissing, "{case}: {body}");
    }
}
