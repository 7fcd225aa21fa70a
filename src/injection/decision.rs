//! A decision, and its reason.

use std::borrow::Cow;

use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

use super::{
    grace::GraceRaise,
    hook::Hook,
    known_sleep::command_sleep,
    notice::Notice,
    pod::Presence,
    record::{InjectionRecord, RecordedChange, RecordedHook},
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

/// The changes to a Pod. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection<'a> {
    /// Why.
    pub reason: Reason,
    /// The containers that change, in their order.
    pub containers: Vec<InjectedContainer<'a>>,
    /// The raise of the grace period, if the sleeps need one.
    pub grace: Option<GraceRaise>,
    /// The annotation of the Pod: these sleeps, and those of earlier reviews.
    pub record: InjectionRecord,
    /// Whether the Pod has the annotation of an earlier review.
    pub(super) was_recorded: bool,
    /// Whether the annotation fits: the API server limits the annotations of a Pod in total.
    pub(super) has_room_for_record: bool,
    /// Whether the Pod has metadata, and annotations: where the annotation goes.
    pub(super) metadata: Option<Presence>,
}

impl Injection<'_> {
    /// The longest of the sleeps to write.
    pub fn longest_delay(&self) -> Option<Delay> {
        self.containers.iter().map(|container| container.delay).max()
    }
}

/// A container whose hook changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedContainer<'a> {
    /// Its place in `spec.containers`.
    pub index: usize,
    /// Its name.
    pub name: Cow<'a, str>,
    /// How long it sleeps. 0 if it does not sleep any more.
    pub delay: Delay,
    /// How to write the sleep.
    pub hook: Hook,
    /// Where the sleep goes.
    pub placement: HookPlacement<'a>,
    /// The sleep of an earlier injection.
    pub(super) previous: Option<PreviousHook>,
}

/// The sleep of an earlier injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PreviousHook {
    delay: Delay,
    change: RecordedChange,
    /// How it is written, if it is still there.
    hook: Option<Hook>,
}

impl PreviousHook {
    pub(super) const fn new(recorded: &RecordedHook, hook: Option<Hook>) -> Self {
        Self { delay: recorded.delay, change: recorded.change, hook }
    }
}

impl<'a> InjectedContainer<'a> {
    /// How long the earlier sleep was.
    pub(super) fn previous_delay(&self) -> Option<Delay> {
        self.previous.map(|previous| previous.delay)
    }

    /// Whether the container has its sleep from an earlier injection, whatever its length.
    pub(super) fn has_ours(&self) -> bool {
        self.previous.is_some_and(|previous| previous.hook.is_some())
    }

    /// Whether the hook differs from what is there.
    pub(super) fn is_change(&self) -> bool {
        match self.previous {
            Some(previous) => (previous.hook, previous.delay) != (Some(self.hook), self.delay),
            // Without a record, what is replaced is an empty handler, which must not stay.
            None => self.delay.get() > 0 || matches!(self.placement, HookPlacement::Replace { .. }),
        }
    }

    /// How long the hook takes, as far as that is known, in seconds.
    pub(super) fn duration(&self) -> u64 {
        let own = match &self.placement {
            HookPlacement::Prepend { command } => command_sleep(command.iter().map(AsRef::as_ref)),
            _ => None,
        };
        own.unwrap_or(0).saturating_add(self.delay.get().into())
    }

    /// The entry in the record. `None` if the container does not sleep any more.
    pub(super) fn recorded(&self) -> Option<RecordedHook> {
        if self.delay.get() == 0 {
            return None;
        }
        let change = match (self.previous, &self.placement) {
            (Some(previous), _) => previous.change,
            (None, HookPlacement::Add { lifecycle: Presence::Empty }) => {
                RecordedChange::AddedToEmptyLifecycle
            }
            (None, HookPlacement::Prepend { .. }) => RecordedChange::Prepended,
            (None, _) => RecordedChange::Added,
        };
        let container = Cow::clone(&self.name).into_owned();
        Some(RecordedHook { container, delay: self.delay, change })
    }

    /// Whether the removal of the hook removes the `lifecycle` that came with it.
    pub(super) fn removes_lifecycle(&self) -> bool {
        self.placement == HookPlacement::Replace { is_alone: true }
            && self.previous.is_none_or(|previous| previous.change == RecordedChange::Added)
    }
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
    /// It replaces a hook of ours.
    Replace {
        /// Whether the hook is the only member of its `lifecycle`.
        is_alone: bool,
    },
    /// It goes before the exec hook of the container.
    Prepend {
        /// The command of the exec hook.
        command: Vec<Cow<'a, str>>,
    },
}

/// Why a decision is what it is. The first reason that applies wins, in this order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumCount, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The request does not create a Pod. (Neither `lifecycle` nor the grace period of an existing
    /// Pod can change.)
    NotPodCreate,
    /// Something is longer than the API allows, or than any Pod needs. Nothing is looked at.
    TooLarge,
    /// The Pod carries the label `apisix-prestop/inject: disabled` (or `"false"`).
    OptedOut,
    /// The Pod is the API object of a static Pod, which the kubelet runs from a file.
    MirrorPod,
    /// A Job (batch/v1) controls the Pod: it receives no requests, and a sleep only delays its end.
    Job,
    /// The Pod runs to completion: its `restartPolicy` is not `Always`. A workflow, a task of a
    /// pipeline or a CI runner receives no requests.
    RunToCompletion,
    /// No Service selects the Pod, and the policy asks for one.
    NoService,
    /// Services select the Pod, no route of APISIX names them, and the policy asks for one.
    NoRoute,
    /// Every container has its sleep from an earlier review: the API server called the webhook a
    /// second time, or the manifest is a copy of a Pod.
    AlreadyInjected,
    /// The preStop hook of one container calls the others: they end their work together, in an
    /// order of their own.
    ShutdownCoordinated,
    /// Every container has a preStop hook of its own, and a container can have only one.
    HookPresent,
    /// The delay is 0 for every container without a hook.
    DelayZero,
    /// The Pod runs on Windows, where an exec hook has no shell.
    WindowsExec,
    /// The grace period is 0 or less, and the policy never raises it.
    GraceZero,
    /// Every container has a hook of its own, and the grace period cuts a sleep off: it is raised.
    GraceTooShort,
    /// A sleep from an earlier review is not what applies now: it changes.
    HookOutdated,
    /// At least one container has no hook, and the policy asks for a Service or a route, of which not
    /// enough is known: a needless sleep is cheaper than a lost request.
    TargetUnknown,
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
        matches!(
            self,
            Self::HookMissing | Self::HookOutdated | Self::GraceTooShort | Self::TargetUnknown
        )
    }
}
