//! The cases in tests/cases, each as a test of the decision alone and of the request and response
//! of the webhook.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use apisix_prestop::{
    admission::Mode,
    injection::{Decision, Hook, Policy},
};
use k8s_openapi::api::core::v1::Pod;
use libtest_mimic::{Arguments, Trial};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{
    cases::{self, Case, Outcome},
    plan::{applied, patch, patch_in, patched, review_of, with_plan},
    router::Server,
};

fn main() {
    let cases = cases::all().unwrap_or_else(|error| panic!("{error}"));
    let trials = cases.into_iter().flat_map(|case| {
        let wire = case.clone();
        let name = format!("wire::{}", case.name);
        let wire = Trial::test(name, move || Ok(over_the_wire(&wire)?));
        let decision = case.is_creation().then(|| {
            let name = format!("decision::{}", case.name);
            Trial::test(name, move || Ok(decision(&case)?))
        });
        decision.into_iter().chain([wire])
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// The core: from a Pod and a policy to a decision.
fn decision(case: &Case) -> Result<(), String> {
    let (pod, policy) = (case.pod(), case.policy());
    case.check(&with_plan(&pod, &policy, |plan| Outcome {
        decision: match plan.decision {
            Decision::Inject(_) => "inject".to_owned(),
            Decision::Skip(_) => "skip".to_owned(),
        },
        reason: plan.decision.reason().to_string(),
        notices: plan.notices.iter().map(|notice| notice.name().as_str().to_owned()).collect(),
        warnings: plan.notices.iter().map(ToString::to_string).collect(),
        pod: patched(&pod, &policy),
    }))?;
    for hook in [Hook::Sleep, Hook::Exec] {
        let policy = Policy { hook, ..policy };
        let second = patch(&patched(&pod, &policy), &policy);
        assert!(second.0.is_empty(), "a second look changes something, with {hook:?}: {second}");
    }
    Ok(())
}

/// The webhook: from a request to a response, and to the metrics.
fn over_the_wire(case: &Case) -> Result<(), String> {
    let pod = case.pod();
    let mut review = review_of(&pod);
    review["request"] = case.merged_into(review["request"].take());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::with_targets(case.policy(), Mode::Enforce, case.targets());
        let response = server.review(&review.to_string()).await;
        assert_eq!(response["uid"], review["request"]["uid"]);
        assert_eq!(response["allowed"], true);
        let patch = patch_in(&response);
        let patch_type = if patch.is_some() { json!("JSONPatch") } else { Value::Null };
        assert_eq!(response["patchType"], patch_type, "patch and patchType come both or neither");
        let after = patch.map_or_else(|| pod.clone(), |patch| applied(&patch, &pod));
        if case.is_for_api_server() {
            Pod::deserialize(&after).unwrap_or_else(|error| panic!("{error}: no Pod: {after:#}"));
        }

        let audit = response["auditAnnotations"].as_object().unwrap();
        let target = case.targets().is_some();
        assert_eq!(audit.len(), 2 + usize::from(target), "{audit:?}");
        assert_eq!(audit.contains_key("target"), target, "{audit:?}");
        let (decision, reason) = (audit["decision"].as_str(), audit["reason"].as_str());
        let (decision, reason) = (decision.unwrap(), reason.unwrap());
        server.assert_counted(decision, reason).await;
        let warnings = response["warnings"].as_array().into_iter().flatten();
        case.check(&Outcome {
            decision: decision.to_owned(),
            reason: reason.to_owned(),
            notices: server.notices_counted().await,
            warnings: warnings.map(|warning| warning.as_str().unwrap().to_owned()).collect(),
            pod: after,
        })
    })
}
