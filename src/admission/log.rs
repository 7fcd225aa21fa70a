//! Reviews in the log: one line for each decision, and one for each notice.

use super::{
    line_limit::LineLimit,
    observer::{Observer, Review},
    refusal::RefusedRequest,
};
use crate::injection::{Decision, Pod, Policy, Reason};

/// Writes reviews to the log. Of refused requests, which any client can send, it writes a few in a
/// second.
#[derive(Debug)]
pub struct ReviewLog {
    refused: LineLimit,
}

impl Default for ReviewLog {
    fn default() -> Self {
        Self { refused: LineLimit::new() }
    }
}

impl Observer for ReviewLog {
    fn reviewed(&self, review: &Review<'_, '_>) {
        let Review { request, plan, target, outcome, .. } = review;
        let namespace = &*request.namespace;
        let reason = plan.decision.reason();
        // A line is short, whatever is in the Pod. The decision has looked at its size.
        let is_short = |pod: &&Pod<'_>| match reason {
            Reason::TooLarge => false,
            Reason::NotPodCreate => !pod.is_too_large(),
            _ => true,
        };
        let object = request.object.as_ref().filter(is_short);
        let metadata = object.and_then(|pod| pod.metadata.as_ref());
        let pod = metadata.map(|metadata| metadata.display_name());
        let owner = object.and_then(|pod| pod.controller());
        let owner = owner.map(tracing::field::display);
        let injection = match &plan.decision {
            Decision::Inject(injection) => Some(injection),
            Decision::Skip(_) => None,
        };
        tracing::info!(
            namespace,
            pod,
            owner,
            decision = outcome.as_str(),
            reason = reason.as_str(),
            target = target.map(tracing::field::display),
            delay =
                injection.and_then(|injection| injection.longest_delay()).map(|delay| delay.get()),
            hook = injection
                .and_then(|i| i.containers.first())
                .map(|container| container.hook.as_str()),
            grace_raised_to = injection.and_then(|injection| injection.grace).map(|raise| raise.to),
            dry_run = request.dry_run.filter(|dry_run| *dry_run),
            "reviewed",
        );
        for notice in &plan.notices {
            tracing::warn!(namespace, pod, owner, notice = notice.name().as_str(), "{notice}");
        }
    }

    fn refused(&self, request: &RefusedRequest) {
        let RefusedRequest { refusal, message } = request;
        if let Some(left_out) = self.refused.take() {
            let left_out = Some(left_out).filter(|lines| *lines > 0);
            tracing::warn!(decision = "refuse", reason = refusal.as_str(), message, left_out);
        }
    }

    fn policy_changed(&self, previous: Option<&Policy>, policy: &Policy) {
        if let Some(previous) = previous.filter(|previous| previous.hook != policy.hook) {
            let (from, to) = (previous.hook.as_str(), policy.hook.as_str());
            tracing::info!(from, to, "the hook changes");
        }
    }
}
