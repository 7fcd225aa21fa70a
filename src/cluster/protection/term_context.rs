//! What the search for Pods that are not protected depends on.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{
    super::{opted_in::OptedIn, propagation::MeasuredPropagation},
    metrics::ProtectionMetrics,
};
use crate::{admission::Reviewer, protection::AuditSettings, upstreams::KnownTargets};

/// What the search for Pods that are not protected depends on.
pub(crate) struct TermContext {
    /// What is known of targets.
    pub(crate) known: Arc<ArcSwap<KnownTargets>>,
    /// The namespaces whose Pods matter.
    pub(crate) opted_in: OptedIn,
    /// Knows the policy.
    pub(crate) reviewer: Arc<Reviewer>,
    /// Shows what is found.
    pub(crate) metrics: ProtectionMetrics,
    /// What is measured.
    pub(crate) measured: MeasuredPropagation,
    /// Whether to write Events.
    pub(crate) announces: bool,
}

impl TermContext {
    /// What running Pods are compared with.
    pub(super) fn settings(&self) -> AuditSettings {
        AuditSettings {
            policy: self.reviewer.policy(),
            is_installed: true,
            propagation: self.measured.needed(),
            is_delay_measured: self.measured.sets_delay(),
        }
    }
}
