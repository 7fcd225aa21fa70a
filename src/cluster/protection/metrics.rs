//! The metrics of Pods that are not protected.

use std::collections::BTreeMap;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::protection::{Finding, Protection};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    namespace: String,
    reason: &'static str,
}

/// Shows the findings of each namespace. Only the replica that holds the Lease does.
#[derive(Clone, Debug)]
pub(crate) struct ProtectionMetrics {
    unprotected_pods: Family<FindingLabels, Gauge>,
    short_pods: Family<FindingLabels, Gauge>,
    limited_routes: Family<FindingLabels, Gauge>,
    leading: Gauge,
    failing: Gauge,
}

impl ProtectionMetrics {
    /// Adds the metrics to `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            unprotected_pods: Family::default(),
            short_pods: Family::default(),
            limited_routes: Family::default(),
            leading: Gauge::default(),
            failing: Gauge::default(),
        };
        registry.register(
            "unprotected_pods",
            "Running Pods that APISIX sends requests to and that do not wait before they stop",
            metrics.unprotected_pods.clone(),
        );
        registry.register(
            "short_pods",
            "Running Pods that APISIX sends requests to and that do not wait long enough before they stop",
            metrics.short_pods.clone(),
        );
        registry.register(
            "limited_upstreams",
            "Services and routes whose requests reach Pods in a way that no sleep cures",
            metrics.limited_routes.clone(),
        );
        registry.register(
            "leading",
            "1 for the replica that watches Pods and shows those that do not wait",
            metrics.leading.clone(),
        );
        registry.register(
            "pod_watches_failing",
            "Watches on Pods that fail",
            metrics.failing.clone(),
        );
        metrics
    }

    /// Replaces what is shown of a namespace by `after`, where `before` was shown.
    pub(super) fn show(&self, namespace: &str, before: &[Finding], after: &[Finding]) {
        let (before, after) = (counts(before), counts(after));
        for cause in before.keys().filter(|cause| !after.contains_key(*cause)) {
            let (family, labels) = self.place(namespace, *cause);
            family.remove(&labels);
        }
        for (cause, count) in &after {
            let (family, labels) = self.place(namespace, *cause);
            family.get_or_create_owned(&labels).set(*count);
        }
    }

    fn place(
        &self,
        namespace: &str,
        (protection, reason): (Option<Protection>, &'static str),
    ) -> (&Family<FindingLabels, Gauge>, FindingLabels) {
        let family = match protection {
            Some(Protection::Unprotected) => &self.unprotected_pods,
            Some(_) => &self.short_pods,
            None => &self.limited_routes,
        };
        (family, FindingLabels { namespace: namespace.to_owned(), reason })
    }

    pub(in crate::cluster) fn leads(&self, leads: bool) {
        self.leading.set(leads.into());
    }

    pub(super) fn fail(&self, watches: usize) {
        self.failing.set(i64::try_from(watches).unwrap_or(i64::MAX));
    }

    /// Another replica shows them.
    pub(in crate::cluster) fn clear(&self) {
        self.unprotected_pods.clear();
        self.short_pods.clear();
        self.limited_routes.clear();
        self.fail(0);
    }
}

/// How many Pods by how well they are protected, or how many Services and routes, and by cause.
fn counts(findings: &[Finding]) -> BTreeMap<(Option<Protection>, &'static str), i64> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        let protection = finding.cause.protection();
        let pods = i64::try_from(finding.pods).unwrap_or(i64::MAX);
        let more = if protection.is_some() { pods } else { 1 };
        *counts.entry((protection, finding.cause.as_str())).or_default() += more;
    }
    counts
}
