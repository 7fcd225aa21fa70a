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

/// Whether a Pod with this decision lacks a sleep that nobody has decided against. An author decides
/// by a label, by a delay of 0 or by a hook of the container's own.
pub(super) const fn is_gap(reason: Reason) -> bool {
    match reason {
        Reason::HookMissing
        | Reason::GraceTooShort
        | Reason::TargetUnknown
        | Reason::WindowsExec
        | Reason::GraceZero => true,
        // Of what is too large, nothing is kept.
        Reason::TooLarge
        | Reason::NotPodCreate
        | Reason::OptedOut
        | Reason::MirrorPod
        | Reason::Job
        | Reason::RunToCompletion
        | Reason::NoService
        | Reason::NoRoute
        | Reason::AlreadyInjected
        | Reason::ShutdownCoordinated
        | Reason::HookPresent
        | Reason::DelayZero
        | Reason::HookOutdated => false,
    }
}
