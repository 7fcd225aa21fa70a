//! The node that keeps `--hook auto` at exec.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// A node whose kubelet does not know the native sleep.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OutdatedKubelet {
    /// The name of the node.
    pub(super) node: String,
    /// The version of its kubelet. Empty before it reports one.
    pub(super) kubelet_version: String,
}

/// Shows the first outdated kubelet in a metric, and in the log when it changes. Clones share the
/// metric.
#[derive(Clone, Debug)]
pub(crate) struct OutdatedKubeletMetrics(Family<OutdatedKubelet, Gauge>);

impl OutdatedKubeletMetrics {
    /// Adds the metric to `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let family = Family::default();
        registry.register(
            "outdated_kubelet",
            "1 for a node because of which the webhook injects exec instead of the native sleep",
            family.clone(),
        );
        Self(family)
    }

    /// Replaces what is shown.
    pub(super) fn show(&self, outdated: Option<OutdatedKubelet>) {
        let Some(outdated) = outdated else {
            self.0.clear();
            return;
        };
        if self.0.get(&outdated).is_none() {
            let OutdatedKubelet { node, kubelet_version } = &outdated;
            tracing::info!(node, kubelet_version, "hook auto: exec, because of this kubelet");
            self.0.clear();
            self.0.get_or_create_owned(&outdated).set(1);
        }
    }
}
