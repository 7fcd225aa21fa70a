//! From the body of a request to the body of the answer: time and allocations.
//!
//! `cargo bench --bench review`. What the bodies are: `benches/bodies/README.md`.
#![allow(clippy::expect_used, missing_docs)]

use std::fmt;

use apisix_prestop::{admission::read, injection::Policy};
use divan::{AllocProfiler, Bencher, counter::BytesCount};
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde_json::Value;
use support::plan::answer;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

struct Body {
    name: &'static str,
    bytes: &'static [u8],
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const BODIES: [Body; 4] = [
    Body { name: "7 KB, nothing to do", bytes: include_bytes!("bodies/noop.json") },
    Body { name: "7 KB, one container", bytes: include_bytes!("bodies/one.json") },
    Body { name: "16 KB, five", bytes: include_bytes!("bodies/five.json") },
    Body { name: "103 KB, five", bytes: include_bytes!("bodies/large.json") },
];

fn bench(bencher: Bencher<'_, '_>, body: &Body, f: impl Fn(&[u8]) -> usize + Sync) {
    bencher.counter(BytesCount::of_slice(body.bytes)).bench(|| f(divan::black_box(body.bytes)));
}

/// All that the webhook does between the body and the answer, but for counting and logging.
#[divan::bench(args = BODIES)]
fn a_review(bencher: Bencher<'_, '_>, body: &Body) {
    let policy = Policy::default();
    bench(bencher, body, |bytes| answer(bytes, &policy, |_| {}).expect("a review").len());
}

/// The part of it that reads the body.
#[divan::bench(args = BODIES)]
fn b_read(bencher: Bencher<'_, '_>, body: &Body) {
    bench(bencher, body, |bytes| read(bytes).expect("a review").uid.len());
}

/// An AdmissionReview whose object is read as `O`.
#[derive(Deserialize)]
struct ReviewOf<O> {
    request: RequestOf<O>,
}

#[derive(Deserialize)]
struct RequestOf<O> {
    uid: String,
    #[serde(rename = "object")]
    _object: O,
}

/// The same body as a `Value`, for comparison: what a webhook does that patches JSON.
#[divan::bench(args = BODIES)]
fn c_read_as_value(bencher: Bencher<'_, '_>, body: &Body) {
    bench(bencher, body, |bytes| {
        let review: Value = serde_json::from_slice(bytes).expect("JSON");
        review["request"]["uid"].as_str().map_or(0, str::len)
    });
}

/// The same body with the Pod of k8s-openapi, for comparison: what a webhook does that uses
/// kube's types.
#[divan::bench(args = BODIES)]
fn d_read_as_typed_pod(bencher: Bencher<'_, '_>, body: &Body) {
    bench(bencher, body, |bytes| {
        serde_json::from_slice::<ReviewOf<Pod>>(bytes).expect("a Pod").request.uid.len()
    });
}
