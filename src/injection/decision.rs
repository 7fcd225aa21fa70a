//! A decision, and its reason.

use std::borrow::Cow;

use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

use super::{
    grace::GraceRaise, hook::Hook, notice::Notice, pod::Presence, record::InjectionRecord,
};
use crate::units::Delay;

/// What to do with a Pod, and what its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// What to do.
    pub decision: Decision<'a>,
    /// What its author should know.
    pub notices: Vec<Notice>,
}

/// What to do with a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Add the hooks.
    Inject(Injection<'a>),
    /// Change nothing.
    Skip(Reason),
}

impl Decision<'_> {
    /// Why.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Inject(injection) => injection.reason,
            Self::Skip(reason) => *reason,
        }
    }
}

/// The sleeps to add. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection<'a> {
    /// Why.
    pub reason: Reason,
    /// How to write a sleep.
    pub hook: Hook,
    /// The containers that get a sleep, in their order.
    pub containers: Vec<InjectedContainer<'a>>,
    /// The raise of the grace period, if the sleeps need one.
    pub grace: Option<GraceRaise>,
    /// The annotation of the Pod: these sleeps, and those of earlier reviews.
    pub record: InjectionRecord,
    /// Whether the Pod has metadata, and annotations: where the annotation goes.
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
    pub placement: HookPlacement<'a>,
}

/// Where a sleep goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookPlacement<'a> {
    /// It becomes the hook. A patch never replaces an existing `lifecycle`, which may hold a
    /// postStart hook or a stopSignal.
    Add {
        /// Whether the container has a `lifecycle`.
        lifecycle: Presence,
    },
    /// It goes before the exec hook of the container.
    Prepend {
        /// The command of the exec hook.
        command: Vec<Cow<'a, str>>,
    },
}

/// Why a decision is what it is. The first reason that applies wins, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The request does not create a Pod. (Neither `lifecycle` nor the grace period of an existing
    /// Pod can change.)
    NotPodCreate,
    /// The Pod carries the label `apisix-prestop/inject: disabled` (or `"false"`).
    OptedOut,
    /// The Pod is the API object of a static Pod, which the kubelet runs from a file.
    MirrorPod,
    /// A Job (batch/v1) controls the Pod: it receives no requests, and a sleep only delays its end.
    Job,
    /// The Pod runs to completion: its `restartPolicy` is not `Always`. A workflow, a task of a
    /// pipeline or a CI runner receives no requests.
    RunToCompletion,
    /// Every container has its sleep from an earlier review: the API server called the webhook a
    /// second time, or the manifest is a copy of a Pod.
    AlreadyInjected,
    /// Every container has a preStop hook of its own, and a container can have only one.
    HookPresent,
    /// The delay is 0 for every container without a hook.
    DelayZero,
    /// The Pod runs on Windows, where an exec hook has no shell.
    WindowsExec,
    /// The grace period is 0 or less, and the policy never raises it.
    GraceZero,
    /// None of the above: at least one container has no hook.
    HookMissing,
}

impl Reason {
    /// Its name in logs, metrics and audit annotations.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the Pod gets sleeps.
    pub const fn injects(self) -> bool {
        matches!(self, Self::HookMissing)
    }
}
