//! The answer to a Pod, and why.

use std::{borrow::Cow, fmt};

use super::{grace::GraceRaise, hook::Hook, notice::Notice};
use crate::seconds::Delay;

/// What is to be done with a Pod, and what its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// What is to be done.
    pub decision: Decision<'a>,
    /// What its author should know.
    pub notices: Vec<Notice>,
}

/// What is to be done with a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Add the hooks.
    Inject(Injection<'a>),
    /// Leave it as it is.
    Skip(Reason),
}

impl Decision<'_> {
    /// `inject` or `skip`, as in logs and metrics.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Inject(_) => "inject",
            Self::Skip(_) => "skip",
        }
    }

    /// Why, as in logs and metrics.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Inject(_) => Reason::HookMissing,
            Self::Skip(reason) => *reason,
        }
    }
}

/// The hooks to add. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection<'a> {
    /// How long each of `containers` sleeps.
    pub delay: Delay,
    /// How the sleep is written.
    pub hook: Hook,
    /// The containers that get a hook, in their order.
    pub containers: Vec<InjectedContainer<'a>>,
    /// The raise of the grace period, where the sleep needs one.
    pub grace: Option<GraceRaise>,
}

/// A container that gets a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedContainer<'a> {
    /// Its place in `spec.containers`.
    pub index: usize,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Whether it has a `lifecycle` already. If so that must not be replaced: it may hold a
    /// postStart hook or a stopSignal.
    pub has_lifecycle: bool,
}

/// Why a Pod gets the answer that it gets. The first that matches wins, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request is not the creation of a Pod: nothing to do. (Neither `lifecycle` nor the
    /// grace period of an existing Pod can be changed.)
    NotPodCreate,
    /// The Pod carries the label `apisix-prestop/inject: disabled` (or `"false"`).
    OptedOut,
    /// The Pod is the API object of a static Pod, which the kubelet runs from a file.
    MirrorPod,
    /// Every container has a preStop hook already, and a container can have only one.
    HookPresent,
    /// The delay is 0.
    DelayZero,
    /// None of the above: at least one container lacks a preStop hook, and gets one.
    HookMissing,
}

impl Reason {
    /// All reasons, in the order in which they are looked at.
    pub const ALL: [Self; 6] = [
        Self::NotPodCreate,
        Self::OptedOut,
        Self::MirrorPod,
        Self::HookPresent,
        Self::DelayZero,
        Self::HookMissing,
    ];

    /// Its name in logs, metrics and audit annotations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPodCreate => "not_pod_create",
            Self::OptedOut => "opted_out",
            Self::MirrorPod => "mirror_pod",
            Self::HookPresent => "hook_present",
            Self::DelayZero => "delay_zero",
            Self::HookMissing => "hook_missing",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
