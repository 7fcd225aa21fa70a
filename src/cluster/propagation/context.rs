//! What the measurement of a serving replica depends on.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::{
    gateway_place::GatewayPlace, measured::MeasuredPropagation, metrics::PropagationMetrics,
};
use crate::{propagation::AutoDelaySettings, upstreams::KnownTargets};

/// What the measurement of a serving replica depends on.
pub(crate) struct PropagationContext {
    /// The gateways.
    pub(crate) place: GatewayPlace,
    /// What is known of targets.
    pub(crate) known: Arc<ArcSwap<KnownTargets>>,
    /// How the delay follows.
    pub(crate) auto_delay: AutoDelaySettings,
    /// The ConfigMap that has the delay.
    pub(crate) config_map: String,
    /// What the ConfigMap says.
    pub(crate) measured: MeasuredPropagation,
    /// Shows what is measured.
    pub(crate) metrics: PropagationMetrics,
    /// Whether to write Events.
    pub(crate) announces: bool,
}

impl PropagationContext {
    /// Whether something is older than the samples that count.
    pub(super) fn is_old(&self, at: Duration, now: Duration) -> bool {
        now.saturating_sub(at) > self.auto_delay.window
    }
}
