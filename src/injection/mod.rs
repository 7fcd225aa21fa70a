//! The core: from a Pod and a policy to a decision.
//!
//! Everything in here is pure. There is no client, no clock, no HTTP and no async in it, so
//! that all of it can be tested as a truth table.

mod decision;
mod grace;
mod hook;
mod notice;
mod overrides;
mod patch;
mod plan;
mod pod;
mod policy;

pub use decision::{Decision, InjectedContainer, Injection, Plan, Reason};
pub use grace::GraceRaise;
pub use hook::Hook;
pub use notice::Notice;
pub use plan::plan;
pub use pod::{Container, KnownEntries, Lifecycle, Metadata, OwnerReference, Pod, PodSpec};
pub use policy::Policy;

#[cfg(test)]
mod tests;
