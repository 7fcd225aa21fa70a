//! The exec hook that a container has: one line for each word of its command.
#![no_main]

use apisix_prestop::constants::EXISTING_HOOK_ANNOTATION;
use apisix_prestop_fuzz::{check_pod, pod_with};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let words: Value = text.split('\n').collect();
    for choice in ["keep", "prepend"] {
        let mut pod = pod_with(json!({EXISTING_HOOK_ANNOTATION: choice}));
        pod["spec"]["containers"][2]["lifecycle"]["preStop"]["exec"]["command"] = words.clone();
        check_pod(&pod, text);
    }
});
