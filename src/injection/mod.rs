//! The core: from a Pod and a policy to a decision.
//!
//! Everything here is pure: no client, no clock, no HTTP and no async. A truth table tests all of
//! it.

mod candidates;
mod context;
mod decision;
mod fit;
mod grace;
mod hook;
mod hook_state;
mod hook_wait;
mod known_sleep;
mod notice;
mod overrides;
mod own_hooks;
mod patch;
mod plan;
mod pod;
mod policy;
mod record;

pub use context::{Context, Controller};
pub use decision::{Decision, HookPlacement, InjectedContainer, Injection, Plan, Reason};
pub use grace::GraceRaise;
pub use hook::Hook;
pub use hook_wait::HookWait;
pub use notice::{Accepted, Instead, Notice, NoticeName};
pub use plan::plan;
pub use pod::{
    Affinity, AnnotationsBytes, Bounded, Container, ContainerPort, ExecAction, ExistingHook,
    HttpGetAction, KnownAnnotations, Labels, Lifecycle, Metadata, NodeSelector, OwnerReference,
    Pod, PodOs, PodSpec, Port, Presence, Probe, SecurityContext, SleepAction, Word,
};
pub use policy::{GracePolicy, Policy, Targets};
pub use record::{
    InjectionRecord, ParseRecordError, RecordedChange, RecordedGrace, RecordedHook, Removal,
};
