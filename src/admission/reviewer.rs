//! From the body of a request to the body of the response.

use std::time::Instant;

use arc_swap::ArcSwap;

use super::{
    decide,
    observer::{Observer, Review},
    outcome::{Mode, Outcome},
    refusal::{Refusal, RefusedRequest},
    response::write,
    review::read,
};
use crate::injection::Policy;

/// Reviews requests. The policy is read without a lock, and can be replaced at any time from any
/// thread.
pub struct Reviewer {
    policy: ArcSwap<Policy>,
    mode: Mode,
    observers: Vec<Box<dyn Observer>>,
}

impl Reviewer {
    /// A reviewer that starts with `policy`.
    pub fn new(policy: Policy, mode: Mode, observers: Vec<Box<dyn Observer>>) -> Self {
        for observer in &observers {
            observer.policy_changed(None, &policy);
        }
        Self { policy: ArcSwap::from_pointee(policy), mode, observers }
    }

    /// Replaces the policy by what `change` makes of it. Changes from several threads at once all
    /// take effect; `change` may then run more than once.
    pub fn update_policy(&self, change: impl Fn(&Policy) -> Policy) {
        let previous = self.policy.rcu(|policy| change(policy));
        let policy = change(&previous);
        if *previous != policy {
            for observer in &self.observers {
                observer.policy_changed(Some(&previous), &policy);
            }
        }
    }

    /// Reviews the request in `body`.
    ///
    /// # Errors
    /// When the body is not an AdmissionReview with a request. The caller reports it to
    /// [`Self::refuse`].
    pub fn review(&self, body: &[u8]) -> Result<Vec<u8>, RefusedRequest> {
        let started = Instant::now();
        let request =
            read(body).map_err(|error| RefusedRequest::new(Refusal::MalformedBody, error))?;
        let plan = decide(&request, &self.policy.load());
        let outcome = Outcome::of(&plan.decision, self.mode);
        let response = write(&request, &plan, outcome)
            .map_err(|error| RefusedRequest::new(Refusal::Internal, error))?;
        let review = Review { request: &request, plan: &plan, outcome, took: started.elapsed() };
        for observer in &self.observers {
            observer.reviewed(&review);
        }
        Ok(response)
    }

    /// Reports a request that gets no review.
    pub fn refuse(&self, request: &RefusedRequest) {
        for observer in &self.observers {
            observer.refused(request);
        }
    }
}
