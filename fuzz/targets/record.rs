//! The annotation `injected`, which we write and read back.
#![no_main]

use apisix_prestop::{constants::INJECTED_ANNOTATION, injection::InjectionRecord};
use apisix_prestop_fuzz::{check_review, pod_with, policy_for, review_of};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use support::plan::applied;

fuzz_target!(|text: &str| {
    let pod = pod_with(json!({INJECTED_ANNOTATION: text}));
    check_review(&review_of(&pod), &policy_for(text));
    if let Ok(record) = text.parse::<InjectionRecord>() {
        assert_eq!(record.to_string().parse(), Ok(record.clone()), "{record}");
        // Panics where the removal does not apply.
        applied(&record.removal(&pod).patch, &pod);
    }
});
