//! Why Pods are not protected.

use super::audit::{AuditFinding, AuditFindingName, Protection};
use crate::upstreams::Limit;

/// Why Pods are not protected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FindingCause {
    /// What an audit finds about them.
    Pod(AuditFinding),
    /// No sleep cures how requests get to them.
    Route(Limit),
}

impl FindingCause {
    /// Its name in metrics and Events.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pod(finding) => finding.name().as_str(),
            Self::Route(limit) => limit.as_str(),
        }
    }

    /// Which Pods it is about. `None` if it is about a Service or a route.
    pub fn protection(&self) -> Option<Protection> {
        self.finding().map(AuditFindingName::protection)
    }

    /// Whether a person should learn of it by an Event.
    pub(super) fn is_announced(&self) -> bool {
        self.finding().is_none_or(AuditFindingName::is_announced)
    }

    fn finding(&self) -> Option<AuditFindingName> {
        match self {
            Self::Pod(finding) => Some(finding.name()),
            Self::Route(_) => None,
        }
    }
}
