//! The metrics, in the OpenMetrics text format.
//!
//! Every label comes from a closed enum, and every series is there, at zero, from the start: an
//! alert on one never meets a gap, and counting is an atomic addition.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

use super::duration_histogram::DurationHistogram;
use crate::{
    admission::Outcome,
    injection::{Hook, Notice, Plan, Reason},
};

/// Why a request got no review: what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the body is no AdmissionReview, or did not arrive whole.
    MalformedBody,
    /// 404: another path.
    Path,
    /// 405: not a POST.
    Method,
    /// 408: the body did not arrive in time.
    Timeout,
    /// 413: the body is too large.
    BodyTooLarge,
    /// 415: not `application/json`.
    ContentType,
    /// 503: there are too many large bodies at once.
    Overloaded,
    /// 500: the answer could not be written.
    Internal,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MalformedBody,
        Self::Path,
        Self::Method,
        Self::Timeout,
        Self::BodyTooLarge,
        Self::ContentType,
        Self::Overloaded,
        Self::Internal,
    ];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedBody => "malformed_body",
            Self::Path => "path",
            Self::Method => "method",
            Self::Timeout => "timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::ContentType => "content_type",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
        }
    }
}

/// A certificate whose end is a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedCertificate {
    /// What is served.
    Serving,
    /// The CA that has signed it.
    Ca,
    /// The CA that follows.
    NextCa,
}

impl NamedCertificate {
    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Ca => "ca",
            Self::NextCa => "next_ca",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabels {
    certificate: &'static str,
}

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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    decided: [Counter; Reason::ALL.len()],
    would_inject: Counter,
    refused: [Counter; Refusal::ALL.len()],
    notices: [Counter; Notice::NAMES.len()],
    duration: DurationHistogram,
    hook: Family<HookLabels, Gauge>,
    reloaded: Counter,
    reload_failed: Counter,
    certificate_expiry: Family<CertificateLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("apisix_prestop");

        let reviews = Family::<ReviewLabels, Counter>::default();
        let review =
            |outcome, reason| reviews.get_or_create_owned(&ReviewLabels { outcome, reason });
        let decided = Reason::ALL.map(|reason| {
            let outcome =
                if reason == Reason::HookMissing { Outcome::Inject } else { Outcome::Skip };
            review(outcome.as_str(), reason.as_str())
        });
        let would_inject = review(Outcome::WouldInject.as_str(), Reason::HookMissing.as_str());
        let refused = Refusal::ALL.map(|refusal| review("refuse", refusal.as_str()));
        registry.register("reviews", "Requests to the webhook by what became of them", reviews);

        let noticed = Family::<NoticeLabels, Counter>::default();
        let notices =
            Notice::NAMES.map(|notice| noticed.get_or_create_owned(&NoticeLabels { notice }));
        registry.register("notices", "Warnings about Pods that were given", noticed);

        let duration = DurationHistogram::default();
        registry.register(
            "review_duration_seconds",
            "Time from the whole body to the answer",
            duration.clone(),
        );

        let hook = Family::<HookLabels, Gauge>::default();
        registry.register("hook", "1 for the hook that is being injected", hook.clone());

        let reloads = Family::<ResultLabels, Counter>::default();
        let [reloaded, reload_failed] = ["success", "failure"]
            .map(|result| reloads.get_or_create_owned(&ResultLabels { result }));
        registry.register("certificate_reloads", "Reloads of the certificate", reloads);

        // The one series that is not always there: an end in 1970 would alarm for nothing.
        let certificate_expiry = Family::<CertificateLabels, Gauge>::default();
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When a certificate ends",
            certificate_expiry.clone(),
        );

        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that is running", build);

        Self {
            registry,
            decided,
            would_inject,
            refused,
            notices,
            duration,
            hook,
            reloaded,
            reload_failed,
            certificate_expiry,
        }
    }
}

impl Metrics {
    /// Counts a review and its notices.
    pub fn count_review(&self, plan: &Plan<'_>, outcome: Outcome, took: Duration) {
        match outcome {
            Outcome::WouldInject => &self.would_inject,
            Outcome::Inject | Outcome::Skip => &self.decided[plan.decision.reason() as usize],
        }
        .inc();
        for notice in &plan.notices {
            self.notices[notice.index()].inc();
        }
        self.duration.observe(took);
    }

    /// Counts a request that got no review.
    pub fn count_refusal(&self, refusal: Refusal) {
        self.refused[refusal as usize].inc();
    }

    /// Counts a reload of the certificate.
    pub fn count_reload(&self, success: bool) {
        if success { &self.reloaded } else { &self.reload_failed }.inc();
    }

    /// Shows when a certificate ends, if there is one.
    pub fn set_certificate_expiry(&self, name: NamedCertificate, end: Option<SystemTime>) {
        let labels = CertificateLabels { certificate: name.as_str() };
        let Some(end) = end else {
            self.certificate_expiry.remove(&labels);
            return;
        };
        let seconds = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let gauge = self.certificate_expiry.get_or_create_owned(&labels);
        gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// Shows which hook is being injected.
    pub fn set_hook(&self, current: Hook) {
        for hook in [Hook::Sleep, Hook::Exec] {
            let gauge = self.hook.get_or_create_owned(&HookLabels { hook: hook.as_str() });
            gauge.set(i64::from(hook == current));
        }
    }

    /// The page at `/metrics`.
    ///
    /// # Errors
    /// None that can be provoked: writing to a string does not fail.
    pub fn page(&self) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_from_the_start() {
        let page = Metrics::default().page().unwrap();
        for reason in Reason::ALL {
            assert!(page.contains(&format!("reason=\"{reason}\"}} 0")), "{reason} in {page}");
        }
        for refusal in Refusal::ALL {
            let line = format!("outcome=\"refuse\",reason=\"{}\"}} 0", refusal.as_str());
            assert!(page.contains(&line), "{line} in {page}");
        }
        for notice in Notice::NAMES {
            assert!(page.contains(&format!("notice=\"{notice}\"}} 0")), "{notice} in {page}");
        }
    }

    #[test]
    fn an_index_is_the_place_in_the_list() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
        }
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index, "{refusal:?}");
        }
    }
}
