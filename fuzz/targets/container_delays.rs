//! The annotation `container-delays`.
#![no_main]

use apisix_prestop::constants::CONTAINER_DELAYS_ANNOTATION;
use apisix_prestop_fuzz::{check_pod, pod_with};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    check_pod(&pod_with(json!({CONTAINER_DELAYS_ANNOTATION: text})), text);
});
