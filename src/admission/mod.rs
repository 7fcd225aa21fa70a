//! Between an AdmissionReview and the core: bytes in, bytes out.

mod outcome;
mod response;
mod review;

pub use outcome::Outcome;
pub use response::write;
pub use review::{AdmissionRequest, MalformedReview, read};

use crate::injection::{Decision, Plan, Policy, Reason, plan};

/// What is to be done about a request: the plan for the Pod that it creates, or nothing.
pub fn decide<'a>(request: &AdmissionRequest<'a>, policy: &Policy) -> Plan<'a> {
    match request.created_pod() {
        Some(pod) => plan(pod, policy),
        None => Plan { decision: Decision::Skip(Reason::NotPodCreate), notices: Vec::new() },
    }
}
