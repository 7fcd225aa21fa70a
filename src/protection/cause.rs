//! Why Pods are not protected.

use crate::{injection::Reason, upstreams::Limit};

/// Why Pods are not protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingCause {
    /// They have no sleep, and this is what the webhook would say of them now.
    Pod(Reason),
    /// No sleep cures how requests get to them.
    Route(Limit),
}

impl FindingCause {
    /// Its name in metrics and Events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pod(reason) => reason.as_str(),
            Self::Route(limit) => limit.as_str(),
        }
    }

    /// Whether Pods that start now are protected.
    pub(super) const fn is_cured_by_restart(self) -> bool {
        matches!(self, Self::Pod(reason) if reason.injects())
    }
}
