//! The metrics of reviews.
//!
//! Every label value comes from a closed enum, and every series exists from the start, at zero:
//! an alert never meets a gap, and counting is an atomic addition.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use strum::{EnumCount, VariantArray};

use super::{
    observer::{Observer, Review},
    outcome::Outcome,
    refusal::{Refusal, RefusedRequest},
};
use crate::injection::{Hook, NoticeName, Policy, Reason};

/// From 10 µs to 10 ms, and 100 ms and 1 s for a machine under pressure.
const DURATION_BUCKETS: [f64; 12] =
    [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    notice: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HookLabels {
    hook: &'static str,
}

/// Counts reviews, refused requests and notices, and shows the hook that the policy injects.
#[derive(Debug)]
pub struct ReviewMetrics {
    decided: [Counter; Reason::COUNT],
    would_inject: [Counter; Reason::COUNT],
    refused: [Counter; Refusal::COUNT],
    notices: [Counter; NoticeName::COUNT],
    duration: Histogram,
    hook: Family<HookLabels, Gauge>,
}

impl ReviewMetrics {
    /// Adds the metrics to `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let reviews = Family::<ReviewLabels, Counter>::default();
        let review = |outcome: &'static str, reason: &'static str| {
            reviews.get_or_create_owned(&ReviewLabels { outcome, reason })
        };
        let decided = std::array::from_fn(|index| {
            let reason = Reason::VARIANTS[index];
            let outcome = if reason.injects() { Outcome::Inject } else { Outcome::Skip };
            review(outcome.as_str(), reason.as_str())
        });
        let would_inject = std::array::from_fn(|index| match Reason::VARIANTS[index] {
            reason if reason.injects() => review(Outcome::WouldInject.as_str(), reason.as_str()),
            _ => Counter::default(),
        });
        let refused =
            std::array::from_fn(|index| review("refuse", Refusal::VARIANTS[index].as_str()));
        registry.register("reviews", "Requests to the webhook by outcome and reason", reviews);

        let noticed = Family::<NoticeLabels, Counter>::default();
        let notices = std::array::from_fn(|index| {
            let notice = NoticeName::VARIANTS[index].as_str();
            noticed.get_or_create_owned(&NoticeLabels { notice })
        });
        registry.register("notices", "Warnings about Pods", noticed);

        let duration = Histogram::new(DURATION_BUCKETS);
        registry.register(
            "review_duration_seconds",
            "Time from the complete body to the response",
            duration.clone(),
        );

        let hook = Family::<HookLabels, Gauge>::default();
        registry.register("hook", "1 for the hook that the webhook injects", hook.clone());
        Self { decided, would_inject, refused, notices, duration, hook }
    }
}

impl Observer for ReviewMetrics {
    fn reviewed(&self, review: &Review<'_, '_>) {
        let counters = match review.outcome {
            Outcome::WouldInject => &self.would_inject,
            Outcome::Inject | Outcome::Skip => &self.decided,
        };
        counters[review.plan.decision.reason() as usize].inc();
        for notice in &review.plan.notices {
            self.notices[notice.name() as usize].inc();
        }
        self.duration.observe(review.took.as_secs_f64());
    }

    fn refused(&self, request: &RefusedRequest) {
        self.refused[request.refusal as usize].inc();
    }

    fn policy_changed(&self, _: Option<&Policy>, policy: &Policy) {
        for hook in Hook::VARIANTS {
            let gauge = self.hook.get_or_create_owned(&HookLabels { hook: hook.as_str() });
            gauge.set(i64::from(*hook == policy.hook));
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn every_series_exists_from_the_start() {
        let mut registry = Registry::default();
        ReviewMetrics::register(&mut registry);
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        for reason in Reason::VARIANTS {
            assert!(page.contains(&format!("reason=\"{reason}\"}} 0")), "{reason} in {page}");
        }
        for refusal in Refusal::VARIANTS {
            let line = format!("outcome=\"refuse\",reason=\"{}\"}} 0", refusal.as_str());
            assert!(page.contains(&line), "{line} in {page}");
        }
        for notice in NoticeName::VARIANTS {
            let line = format!("notice=\"{}\"}} 0", notice.as_str());
            assert!(page.contains(&line), "{line} in {page}");
        }
    }
}
