//! Self-managed certificates: a CA and a serving certificate that all replicas share.
//!
//! One Secret holds them, and the next step is a pure function of the Secret and the time. There is
//! no leader: every replica takes steps, and the resourceVersion of the Secret decides which replica
//! was first. docs/certificates.md has the details.

mod configuration;
mod follow;
mod issue;
mod names;
mod pace;
mod publication;
mod replica;
mod secret;
mod secret_change;
#[cfg(test)]
mod simulation;
mod state;
mod step;

pub(crate) use follow::{Outlets, SelfManaged};
pub(crate) use names::{InvalidName, ServiceNames};
pub(crate) use step::Lifetimes;
