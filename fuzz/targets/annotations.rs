//! All annotations at once, and the label: a line for each, in the order below.
#![no_main]

use apisix_prestop::constants::{
    CONTAINER_DELAYS_ANNOTATION, DELAY_ANNOTATION, EXISTING_HOOK_ANNOTATION, INJECT_LABEL,
    KEY_PREFIX, SHUTDOWN_RESERVE_ANNOTATION,
};
use apisix_prestop_fuzz::{check_pod, pod_with};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut pod = pod_with(json!({}));
    for key in [
        SHUTDOWN_RESERVE_ANNOTATION,
        EXISTING_HOOK_ANNOTATION,
        DELAY_ANNOTATION,
        CONTAINER_DELAYS_ANNOTATION,
    ] {
        let Some(value) = lines.next() else { break };
        pod["metadata"]["annotations"][key] = Value::from(value);
    }
    if let Some(value) = lines.next() {
        pod["metadata"]["labels"][INJECT_LABEL] = Value::from(value);
    }
    if let Some(grace) = lines.next().and_then(|value| value.parse::<i64>().ok()) {
        pod["spec"]["terminationGracePeriodSeconds"] = Value::from(grace);
    }
    // An unknown key, and not the one that only the webhook writes.
    if let Some(name) = lines.next().filter(|name| *name != "injected") {
        pod["metadata"]["annotations"][format!("{KEY_PREFIX}{name}")] = Value::from("1");
    }
    check_pod(&pod, text);
});
