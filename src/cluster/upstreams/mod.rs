//! Follows the objects that say which Pods APISIX sends requests to.

mod follow;
mod metrics;
mod served;
mod state;
mod watched;

pub(crate) use follow::UpstreamWatch;
pub(crate) use metrics::UpstreamMetrics;
pub(super) use served::{always_served, served};
pub(super) use watched::{cluster_object, resource};
