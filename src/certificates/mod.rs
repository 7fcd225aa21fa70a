//! Self-managed certificates: a CA and a serving certificate that all replicas share.
//!
//! They are kept in one Secret, and what follows from it is a pure function of it and of the
//! time. There is no leader: every replica takes the steps, and the Secret's
//! resourceVersion decides which of them was first. docs/certificates.md tells the whole story.

mod follow;
mod issue;
mod names;
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
