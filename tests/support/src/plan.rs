//! Plans for Pods, and answers to reviews. Only this file calls the core and the admission room.

use apisix_prestop::{
    admission::{self, Mode, Outcome},
    injection::{self, Context, Decision, Notice, Plan, Pod, Policy, Reason},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use json_patch::Patch;
use serde_json::{Value, json};
use strum::VariantArray;

/// All reasons, in the order in which they are looked at.
pub fn reasons() -> Vec<Reason> {
    Reason::VARIANTS.to_vec()
}

/// Looks at the plan for a Pod.
pub fn with_plan<T>(pod: &Value, policy: &Policy, look: impl FnOnce(Plan<'_>) -> T) -> T {
    let json = pod.to_string();
    let view: Pod<'_> = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e} in {pod:#}"));
    look(injection::plan(&view, &Context::of(&view, policy)))
}

/// The patch for a Pod; empty if it is left alone.
pub fn patch(pod: &Value, policy: &Policy) -> Patch {
    with_plan(pod, policy, |plan| match plan.decision {
        Decision::Inject(injection) => injection.patch().unwrap(),
        Decision::Skip(_) => Patch(Vec::new()),
    })
}

/// The Pod as it is after the answer.
pub fn patched(pod: &Value, policy: &Policy) -> Value {
    applied(&patch(pod, policy), pod)
}

/// The notices about a Pod.
pub fn notices(pod: &Value, policy: &Policy) -> Vec<Notice> {
    with_plan(pod, policy, |plan| plan.notices)
}

/// The object after a patch.
pub fn applied(patch: &Patch, to: &Value) -> Value {
    let mut after = to.clone();
    json_patch::patch(&mut after, patch)
        .unwrap_or_else(|error| panic!("{patch} does not apply to {to}: {error}"));
    after
}

/// The review of a Pod's creation, as the API server sends it.
pub fn review_of(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop", "operation": "CREATE", "object": pod, "dryRun": false,
        },
    })
}

/// Reads a review, decides, and writes the body of the answer. `None` if the body is no review.
pub fn answer(body: &[u8], policy: &Policy, look: impl FnOnce(&Plan<'_>)) -> Option<Vec<u8>> {
    let request = admission::read(body).ok()?;
    let plan = admission::decide(&request, policy, None);
    look(&plan);
    let outcome = Outcome::of(&plan.decision, Mode::Enforce);
    Some(admission::write(&request, &plan, None, outcome).unwrap())
}

/// The patch in the `response` of an answer.
pub fn patch_in(response: &Value) -> Option<Patch> {
    let patch = BASE64_STANDARD.decode(response["patch"].as_str()?).unwrap();
    Some(serde_json::from_slice(&patch).unwrap())
}
