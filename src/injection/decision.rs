//! The answer to a Pod, and why.

use std::{borrow::Cow, fmt};

use super::{
    grace::GraceRaise, hook::Hook, notice::Notice, pod::Presence, record::InjectionRecord,
};
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
    /// Why.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Inject(_) => Reason::HookMissing,
            Self::Skip(reason) => *reason,
        }
    }
}

/// The sleeps to add. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection<'a> {
    /// How a sleep is written.
    pub hook: Hook,
    /// The containers that get one, in their order.
    pub containers: Vec<InjectedContainer<'a>>,
    /// The raise of the grace period, where it is needed now.
    pub grace: Option<GraceRaise>,
    /// What the Pod's annotation is going to say: all that was done to it, at an earlier look too.
    pub record: InjectionRecord,
    /// Where the annotation goes: whether the Pod has metadata, and annotations.
    pub(super) metadata: Option<Presence>,
}

impl Injection<'_> {
    /// The longest of the sleeps to add.
    pub fn longest_delay(&self) -> Delay {
        let delays = self.containers.iter().map(|container| container.delay);
        delays.max().unwrap_or(Delay::clamped(0))
    }
}

/// A container that gets a sleep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedContainer<'a> {
    /// Its place in `spec.containers`.
    pub index: usize,
    /// Its name.
    pub name: Cow<'a, str>,
    /// How long it sleeps.
    pub delay: Delay,
    /// Where the sleep goes.
    pub change: Change<'a>,
}

/// Where a sleep goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is the hook. A `lifecycle` that is there is never replaced: it may hold a postStart
    /// hook or a stopSignal.
    Add {
        /// Whether there is a `lifecycle`.
        lifecycle: Presence,
    },
    /// It goes in front of the exec hook that is there.
    Prepend {
        /// The command of that.
        command: Vec<Cow<'a, str>>,
    },
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
    /// A Job (batch/v1) controls the Pod: it takes no requests, and would only end later.
    Job,
    /// Every container that could get a sleep has one from an earlier look: a second call of the
    /// webhook for the same Pod, or a copied manifest.
    AlreadyInjected,
    /// Every container has a preStop hook of its own already, and a container can have only one.
    HookPresent,
    /// The delay is 0, of the whole Pod or of every container that lacks a hook.
    DelayZero,
    /// The Pod runs on Windows, where an exec hook would need a shell that is not there.
    WindowsExec,
    /// The grace period is 0 or less, and the policy does not allow to raise it.
    GraceZero,
    /// None of the above: at least one container gets a sleep.
    HookMissing,
}

impl Reason {
    /// All reasons, in the order in which they are looked at.
    pub const ALL: [Self; 10] = [
        Self::NotPodCreate,
        Self::OptedOut,
        Self::MirrorPod,
        Self::Job,
        Self::AlreadyInjected,
        Self::HookPresent,
        Self::DelayZero,
        Self::WindowsExec,
        Self::GraceZero,
        Self::HookMissing,
    ];

    /// Its name in logs, metrics and audit annotations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPodCreate => "not_pod_create",
            Self::OptedOut => "opted_out",
            Self::MirrorPod => "mirror_pod",
            Self::Job => "job",
            Self::AlreadyInjected => "already_injected",
            Self::HookPresent => "hook_present",
            Self::DelayZero => "delay_zero",
            Self::WindowsExec => "windows_exec",
            Self::GraceZero => "grace_zero",
            Self::HookMissing => "hook_missing",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
