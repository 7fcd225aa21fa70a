//! The body of a request: any bytes.
#![no_main]

use apisix_prestop::{
    admission::{json, read},
    injection::Pod,
};
use apisix_prestop_fuzz::{check_review, policies};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    // Whatever it is: an answer or an error.
    let _ = read(body);
    // JSON may name a member twice; an API server does not. So the properties are those of what
    // is left when each is there once.
    if let Ok(review) = serde_json::from_slice::<Value>(body) {
        check_view(body);
        for policy in policies() {
            check_review(&review, &policy);
        }
    }
});

/// Both ways to read JSON come to the same.
fn check_view(json: &[u8]) {
    let text = std::str::from_utf8(json).unwrap();
    let [ours, theirs] = [json::from_str::<Pod<'_>>(text), serde_json::from_str(text)]
        .map(|result| format!("{result:?}"));
    assert_eq!(ours, theirs);
}
