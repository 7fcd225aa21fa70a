//! Finds running Pods that APISIX sends requests to and that have no sleep.

mod announce;
mod metrics;
mod pod_index;
mod scope;
mod term;
mod term_context;
mod watched_pod;

pub(crate) use metrics::ProtectionMetrics;
pub(super) use term::Term;
pub(crate) use term_context::TermContext;
