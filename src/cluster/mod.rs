//! Talks to the API server in the background: no review waits for it.

mod connect;
mod events;
mod hook_choice;
mod inventory;
mod leader;
mod leadership;
mod list_pages;
mod namespace_text;
mod opted_in;
mod outdated_kubelet;
mod pod_text;
mod preflight;
mod propagation;
mod protection;
mod read_error;
mod upstreams;
mod version;
mod watch;
mod watched_object;

pub(crate) use connect::{ConnectError, connect};
pub(crate) use events::event_queue;
pub(crate) use hook_choice::{choose_hook, follow_hook};
pub(crate) use inventory::{ClusterAudit, ExplainError, Installed, InstalledWebhook};
pub(crate) use leader::Leader;
pub(crate) use opted_in::OptedIn;
pub(crate) use outdated_kubelet::OutdatedKubeletMetrics;
pub(crate) use preflight::{NoAnswer, PreflightScope, gather};
pub(crate) use propagation::{
    GatewayPlace, MeasuredPropagation, PodFacts, PropagationContext, PropagationMetrics,
    PropagationObserver, PropagationWatch, Restart, follow_delay, read_delay,
};
pub(crate) use protection::{ProtectionMetrics, TermContext};
pub(crate) use upstreams::{UpstreamMetrics, UpstreamWatch};
pub(crate) use watch::{Follower, jittered, retry_delays};
