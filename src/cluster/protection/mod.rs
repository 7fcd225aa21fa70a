//! Finds running Pods that APISIX sends requests to and that have no sleep.

mod announce;
mod leadership;
mod metrics;
mod pod_index;
mod protection_watch;
mod scope;
mod term;
mod term_context;
mod watched_pod;

pub(crate) use metrics::ProtectionMetrics;
pub(crate) use protection_watch::ProtectionWatch;
pub(crate) use term_context::TermContext;
