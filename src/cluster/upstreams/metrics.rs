//! The metrics of what is known of upstreams.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::upstreams::Kind;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// Shows what is known of upstreams.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamMetrics {
    failing: Family<KindLabels, Gauge>,
    complete: Gauge,
}

impl UpstreamMetrics {
    /// Adds the metrics to `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { failing: Family::default(), complete: Gauge::default() };
        for kind in Kind::all() {
            metrics.fails(kind, false);
        }
        registry.register(
            "watch_failing",
            "1 while the watch on a kind fails",
            metrics.failing.clone(),
        );
        registry.register(
            "targets_complete",
            "1 while enough is known to say that no route sends requests to a Pod",
            metrics.complete.clone(),
        );
        metrics
    }

    pub(super) fn fails(&self, kind: Kind, is_failing: bool) {
        let gauge = self.failing.get_or_create_owned(&KindLabels { kind: kind.as_str() });
        gauge.set(is_failing.into());
    }

    pub(super) fn is_complete(&self, is_complete: bool) {
        self.complete.set(is_complete.into());
    }
}
