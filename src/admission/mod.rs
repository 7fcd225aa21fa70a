//! AdmissionReviews: from the body of a request to the body of the response, and what log,
//! metrics and Events learn of it.

pub mod json;
mod line_limit;
mod log;
mod metrics;
mod observer;
mod outcome;
mod refusal;
mod response;
mod review;
mod reviewer;

pub use log::ReviewLog;
pub use metrics::ReviewMetrics;
pub use observer::{Observer, Review};
pub use outcome::{Mode, Outcome};
pub use refusal::{Refusal, RefusedRequest};
pub use response::write;
pub use review::{AdmissionRequest, MalformedReview, read};
pub use reviewer::{Reviewer, UnansweredReview};

use crate::{
    injection::{Context, Decision, Plan, Policy, Reason, plan},
    upstreams::Target,
};

/// The plan for the Pod that a request creates. Any other request is skipped.
pub fn decide<'a>(
    request: &AdmissionRequest<'a>,
    policy: &Policy,
    target: Option<&Target>,
) -> Plan<'a> {
    match request.created_pod() {
        Some(pod) => {
            let annotations_bytes = request.annotations_bytes;
            plan(pod, &Context { annotations_bytes, target, ..Context::of(pod, policy) })
        }
        None => Plan { decision: Decision::Skip(Reason::NotPodCreate), notices: Vec::new() },
    }
}
