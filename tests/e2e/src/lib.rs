//! What the cluster tests and the demo share: a Kubernetes, the chart installed on it, a
//! namespace for each test, a [`rollout`] that is measured, and a [`storm`] of Pods.

pub mod command;
pub mod installation;
pub mod namespace;
pub mod provided_certificate;
pub mod replica;
pub mod rollout;
pub mod storm;
