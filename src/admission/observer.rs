//! What happens beside the response to a request: log, metrics, Events.

use std::time::Duration;

use super::{outcome::Outcome, refusal::RefusedRequest, review::AdmissionRequest};
use crate::{
    injection::{Plan, Policy},
    upstreams::Target,
};

/// A request that was reviewed.
#[derive(Clone, Copy, Debug)]
pub struct Review<'r, 'a> {
    /// The request.
    pub request: &'r AdmissionRequest<'a>,
    /// The decision, and what the author of the Pod should know.
    pub plan: &'r Plan<'a>,
    /// What sends requests to the Pod. `None` if nothing watches Services and routes.
    pub target: Option<&'r Target>,
    /// What the response says.
    pub outcome: Outcome,
    /// The time from the complete body to the response.
    pub took: Duration,
}

/// Learns of every request. Runs on the thread of the reviews: it must not wait for anything.
pub trait Observer: Send + Sync {
    /// A request was reviewed.
    fn reviewed(&self, review: &Review<'_, '_>);

    /// A request got no review.
    fn refused(&self, _request: &RefusedRequest) {}

    /// `policy` applies from now on, instead of `previous` if there was one.
    fn policy_changed(&self, _previous: Option<&Policy>, _policy: &Policy) {}
}
