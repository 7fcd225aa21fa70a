//! Reads a cluster once, for a command: what its webhook is, which Pods APISIX sends requests to, and
//! how these stop.

mod cluster_audit;
mod installed;
mod narrow;

pub(crate) use cluster_audit::{ClusterAudit, ExplainError};
pub(crate) use installed::{Installed, InstalledWebhook};
