//! What the cluster tests and the demo share: a Kubernetes, the chart installed on it, a
//! namespace for each test, and a [`rollout`] that is measured.

pub mod command;
pub mod installation;
pub mod namespace;
pub mod rollout;
