//! Talks to the API server in the background: no review waits for it.

mod connect;
mod events;
mod hook_choice;
mod inventory;
mod list_pages;
mod namespace_text;
mod opted_in;
mod outdated_kubelet;
mod pod_text;
mod preflight;
mod protection;
mod read_error;
mod upstreams;
mod version;
mod watch;
mod watched_object;

pub(crate) use connect::{ConnectError, connect};
pub(crate) use events::event_queue;
pub(crate) use hook_choice::{choose_hook, follow_hook};
pub(crate) use inventory::{ClusterAudit, ExplainError, Installed};
pub(crate) use opted_in::OptedIn;
pub(crate) use outdated_kubelet::OutdatedKubeletMetrics;
pub(crate) use preflight::{NoAnswer, PreflightScope, gather};
pub(crate) use protection::{ProtectionMetrics, ProtectionWatch, TermContext};
pub(crate) use upstreams::{UpstreamMetrics, UpstreamWatch};
pub(crate) use watch::{Follower, jittered, retry_delays};
