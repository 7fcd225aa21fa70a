//! From the body of a request to the body of the response, in two steps.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;

use super::{
    decide,
    observer::{Observer, Review},
    outcome::{Mode, Outcome},
    refusal::{Refusal, RefusedRequest},
    response::write,
    review::{AdmissionRequest, read},
};
use crate::{
    constants::USUAL_CONTAINERS,
    injection::Policy,
    upstreams::{KnownTargets, Target},
};

/// Reviews requests. The policy is read without a lock, and can be replaced at any time from any
/// thread.
pub struct Reviewer {
    policy: ArcSwap<Policy>,
    mode: Mode,
    targets: Option<Arc<ArcSwap<KnownTargets>>>,
    observers: Vec<Box<dyn Observer>>,
}

/// A request that has been read.
#[derive(Debug)]
pub struct UnansweredReview<'a> {
    request: AdmissionRequest<'a>,
    started: Instant,
}

impl UnansweredReview<'_> {
    /// Whether the answer takes many times as long as an ordinary one.
    pub fn is_long(&self) -> bool {
        let pod = self.request.created_pod();
        pod.is_some_and(|pod| pod.spec.all_containers().count() > USUAL_CONTAINERS)
    }
}

impl Reviewer {
    /// A reviewer that starts with `policy`.
    pub fn new(policy: Policy, mode: Mode, observers: Vec<Box<dyn Observer>>) -> Self {
        for observer in &observers {
            observer.policy_changed(None, &policy);
        }
        Self { policy: ArcSwap::from_pointee(policy), mode, targets: None, observers }
    }

    /// Looks up in `targets` what sends requests to a Pod.
    #[must_use]
    pub fn with_targets(self, targets: Arc<ArcSwap<KnownTargets>>) -> Self {
        Self { targets: Some(targets), ..self }
    }

    /// The policy that applies now.
    pub fn policy(&self) -> Policy {
        **self.policy.load()
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

    /// Reads the request in `body`.
    ///
    /// # Errors
    /// When the body is not an AdmissionReview with a request. The caller reports it to
    /// [`Self::refuse`].
    pub fn read<'a>(&self, body: &'a [u8]) -> Result<UnansweredReview<'a>, RefusedRequest> {
        let started = Instant::now();
        let request =
            read(body).map_err(|error| RefusedRequest::new(Refusal::MalformedBody, error))?;
        Ok(UnansweredReview { request, started })
    }

    /// The body of the response.
    ///
    /// # Errors
    /// When the response cannot be written, which is a fault of the webhook.
    pub fn answer(&self, review: &UnansweredReview<'_>) -> Result<Vec<u8>, RefusedRequest> {
        let UnansweredReview { request, started } = review;
        let target = self.target(request);
        let target = target.as_ref();
        let plan = decide(request, &self.policy.load(), target);
        let outcome = Outcome::of(&plan.decision, self.mode);
        let response = write(request, &plan, target, outcome)
            .map_err(|error| RefusedRequest::new(Refusal::Internal, error))?;
        let took = started.elapsed();
        let review = Review { request, plan: &plan, target, outcome, took };
        for observer in &self.observers {
            observer.reviewed(&review);
        }
        Ok(response)
    }

    fn target(&self, request: &AdmissionRequest<'_>) -> Option<Target> {
        let known = self.targets.as_ref()?.load();
        let pod = request.created_pod()?;
        let labels = pod.metadata.iter().flat_map(|metadata| metadata.labels.iter());
        Some(known.target(&request.namespace, labels))
    }

    /// Reports a request that gets no review.
    pub fn refuse(&self, request: &RefusedRequest) {
        for observer in &self.observers {
            observer.refused(request);
        }
    }
}
