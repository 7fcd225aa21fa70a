//! What has to hold for every Pod, whatever is in it.

use std::collections::BTreeSet;

use apisix_prestop::{
    constants::{INJECTED_ANNOTATION, MAX_WARNING_LENGTH},
    injection::{Decision, GracePolicy, Hook, InjectionRecord, Plan, Policy},
};
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde_json::{Value, json};
pub use support::plan::review_of;
use support::plan::{answer, applied, patch_in};

/// One policy for each hook and each policy of the grace period.
pub fn policies() -> impl Iterator<Item = Policy> {
    let graces = [GracePolicy::Raise, GracePolicy::Extend, GracePolicy::Never];
    let pairs =
        [Hook::Sleep, Hook::Exec].into_iter().flat_map(move |hook| graces.map(|g| (hook, g)));
    pairs.map(|(hook, grace)| Policy { hook, grace, ..Policy::default() })
}

/// A Pod with these annotations. Its containers have no hook, a lifecycle without a preStop
/// hook, an exec hook and a native sleep.
pub fn pod_with(annotations: Value) -> Value {
    json!({
        "metadata": {"name": "web-1", "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"terminationGracePeriodSeconds": 30, "containers": [
            {"name": "web"},
            {"name": "api", "lifecycle": {}},
            {"name": "cache", "lifecycle": {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}},
            {"name": "logs", "lifecycle": {"preStop": {"sleep": {"seconds": 7}}}},
        ]},
    })
}

/// Checks the Pod under the policy that `text`, which it was made from, picks, and that taking
/// out what was put in gives it back. All policies every time would be six times slower.
pub fn check_pod(pod: &Value, text: &str) {
    let policy = policy_for(text);
    let Some(patched) = check_review(&review_of(pod), &policy) else { return };
    let record = &patched["metadata"]["annotations"][INJECTED_ANNOTATION];
    let record: InjectionRecord = record.as_str().unwrap().parse().unwrap();
    let restored = applied(&record.removal(&patched).patch, &patched);
    assert_eq!(&restored, pod, "inject and uninject, under {policy:?}");
}

/// One of the policies, always the same for the same text.
pub fn policy_for(text: &str) -> Policy {
    let sum = text.bytes().map(usize::from).sum::<usize>();
    policies().nth(sum % 6).unwrap()
}

/// Checks what has to hold for a review. Returns its Pod as it is after the patch, if there is
/// one.
pub fn check_review(review: &Value, policy: &Policy) -> Option<Value> {
    let mut injects = false;
    let body = review.to_string();
    let answer = answer(body.as_bytes(), policy, |plan| {
        check_notices(plan);
        injects = matches!(plan.decision, Decision::Inject(_));
    })?;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let response = &answer["response"];
    assert_eq!(response["uid"], review["request"]["uid"]);
    assert_eq!(response["allowed"], true);
    let patch = patch_in(response);
    assert_eq!(patch.is_some(), injects, "a patch, and only where it injects");
    let patch = patch?;

    let pod = &review["request"]["object"];
    // The API server sends what is a Pod to it.
    Pod::deserialize(pod).ok()?;
    let patched = applied(&patch, pod);
    Pod::deserialize(&patched).expect("a patched Pod is a Pod");
    check_grace(&patched);
    if names_repeat(&patched) {
        return Some(patched);
    }

    let mut second = review.clone();
    second["request"]["object"] = patched.clone();
    let second = second.to_string();
    let read = support::plan::answer(second.as_bytes(), policy, |plan| {
        let decision = &plan.decision;
        assert!(
            matches!(decision, Decision::Skip(_)),
            "a second look changes nothing: {decision:?}"
        );
    });
    assert!(read.is_some(), "a patched Pod is read: {second}");
    Some(patched)
}

/// Whether two containers have one name, which the API server rejects. The record names containers,
/// so it cannot tell them apart.
fn names_repeat(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let names: BTreeSet<_> =
        containers.iter().map(|container| container["name"].as_str()).collect();
    names.len() < containers.len()
}

/// A native sleep that is longer than the grace period makes the Pod invalid: its creation
/// would fail. Only those that are ours count: in this program they are 5 s and what the
/// annotations say, which the record tells.
fn check_grace(pod: &Value) {
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    let record = pod["metadata"]["annotations"][INJECTED_ANNOTATION].as_str();
    let Some(Ok(record)) = record.map(str::parse::<InjectionRecord>) else { return };
    for container in pod["spec"]["containers"].as_array().unwrap() {
        let sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_i64();
        let ours = container["name"].as_str().and_then(|name| record.of(name));
        if let (Some(sleep), Some(ours)) = (sleep, ours)
            && sleep == i64::from(ours.delay.get())
        {
            assert!(sleep <= grace, "a sleep of {sleep} s in a grace period of {grace} s");
        }
    }
}

fn check_notices(plan: &Plan<'_>) {
    for notice in &plan.notices {
        let text = notice.to_string();
        assert!(text.len() <= MAX_WARNING_LENGTH, "{} bytes: {text}", text.len());
        assert!(text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{text:?}");
    }
}
