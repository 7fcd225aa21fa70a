//! Why a running Pod lacks a sleep.

use crate::injection::{Context, Pod, Policy, Reason, Targets, plan};

/// What the webhook would say of a Pod now, if it were new and APISIX sent requests to it.
pub(super) fn reason_now(pod: &Pod<'_>, policy: &Policy) -> Reason {
    let policy = Policy { targets: Targets::All, ..*policy };
    plan(pod, &Context::of(pod, &policy)).decision.reason()
}

/// Why a running Pod lacks a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The webhook would add one now.
    Overlooked,
    /// It has one that the grace period cuts off.
    CutOff,
    /// Without a grace period, no hook runs.
    GraceZero,
    /// On Windows, an exec hook has no shell.
    WindowsExec,
    /// A label opts out.
    OptedOut,
    /// The delay is 0.
    DelayZero,
}

impl Lack {
    /// Of a Pod of which the webhook would say this now. `None` if it needs no sleep, or has a hook.
    pub(super) const fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::HookMissing | Reason::TargetUnknown => Some(Self::Overlooked),
            Reason::GraceTooShort => Some(Self::CutOff),
            Reason::GraceZero => Some(Self::GraceZero),
            Reason::WindowsExec => Some(Self::WindowsExec),
            Reason::OptedOut => Some(Self::OptedOut),
            Reason::DelayZero => Some(Self::DelayZero),
            // Of what is too large, nothing is kept.
            Reason::TooLarge
            | Reason::NotPodCreate
            | Reason::MirrorPod
            | Reason::Job
            | Reason::RunToCompletion
            | Reason::NoService
            | Reason::NoRoute
            | Reason::AlreadyInjected
            | Reason::ShutdownCoordinated
            | Reason::HookPresent
            | Reason::HookOutdated => None,
        }
    }
}
