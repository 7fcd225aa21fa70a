//! The core: from a Pod and a policy to a decision.
//!
//! Everything here is pure: no client, no clock, no HTTP and no async. A truth table tests all of
//! it.

mod context;
mod decision;
mod grace;
mod hook;
mod notice;
mod null;
mod overrides;
mod patch;
mod plan;
mod pod;
mod policy;
mod record;

pub use context::{Context, Controller, Target};
pub use decision::{Decision, HookPlacement, InjectedContainer, Injection, Plan, Reason};
pub use grace::GraceRaise;
pub use hook::{ExecAction, ExistingHook, Hook, SleepAction, Word};
pub use notice::{Accepted, Instead, Notice, NoticeName};
pub use plan::plan;
pub use pod::{
    Container, KnownAnnotations, Labels, Lifecycle, Metadata, NodeSelector, OwnerReference, Pod,
    PodOs, PodSpec, Presence,
};
pub use policy::{GracePolicy, Policy};
pub use record::{InjectionRecord, ParseRecordError, RecordedChange, RecordedHook};
