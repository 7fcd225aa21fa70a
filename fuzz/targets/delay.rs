//! The annotation `delay`, and the form of every number of seconds.
#![no_main]

use apisix_prestop::{constants::DELAY_ANNOTATION, units::Delay};
use apisix_prestop_fuzz::{check_pod, pod_with};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    if let Ok(delay) = text.parse::<Delay>() {
        assert!(delay <= Delay::MAX);
        assert_eq!(delay.to_string().parse(), Ok(delay));
        assert_eq!(delay.get().to_string().parse(), Ok(delay));
    }
    check_pod(&pod_with(json!({DELAY_ANNOTATION: text})), text);
});
