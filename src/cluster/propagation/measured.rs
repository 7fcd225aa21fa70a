//! What is measured, and which delay follows, for all who want to know.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::{propagation::DelayRecord, units::Delay};

/// What the ConfigMap says of what is measured. Nothing until the API server has shown it.
#[derive(Clone, Debug, Default)]
pub(crate) struct MeasuredPropagation {
    record: Arc<ArcSwapOption<DelayRecord>>,
    sets_delay: bool,
}

impl MeasuredPropagation {
    /// Nothing so far. `sets_delay`: the delay follows.
    pub(crate) fn new(sets_delay: bool) -> Self {
        Self { record: Arc::default(), sets_delay }
    }

    /// The ConfigMap has this now.
    pub(crate) fn set(&self, record: DelayRecord) {
        self.record.store(Some(Arc::new(record)));
    }

    /// What the ConfigMap has, if it was read.
    pub(super) fn record(&self) -> Option<Arc<DelayRecord>> {
        self.record.load_full()
    }

    /// Whether the delay follows what is measured.
    pub(in crate::cluster) const fn sets_delay(&self) -> bool {
        self.sets_delay
    }

    /// How long APISIX takes to let go of a Pod, in whole seconds.
    pub(in crate::cluster) fn needed(&self) -> Option<u32> {
        self.record.load().as_ref()?.needed()
    }

    /// The delay that follows.
    pub(crate) fn delay(&self) -> Option<Delay> {
        self.record.load().as_ref().filter(|_| self.sets_delay)?.in_force()
    }
}
