//! apisix-prestop: a mutating admission webhook that gives Pods behind Apache APISIX the time
//! to leave its routes before they stop.
//!
//! [`injection`] is the pure core: from a Pod and a policy to a decision. [`upstreams`], just as pure,
//! knows which Pods APISIX sends requests to, [`protection`] which of those do not wait, and
//! [`preflight`] what is wrong with an installation.
//! Around them,
//! [`admission`] reads and writes AdmissionReviews, [`server`] speaks HTTP, [`tls`] holds
//! certificates and keys, `certificates` issues and renews them, `cluster` talks to the API
//! server, [`manifests`] does for files what the webhook does for Pods, [`telemetry`] is the log,
//! and [`cli`] puts everything together.

pub mod admission;
mod certificates;
pub mod cli;
mod cluster;
pub mod constants;
pub mod injection;
pub mod manifests;
mod object_name;
pub mod preflight;
pub mod propagation;
pub mod protection;
pub mod readiness;
pub mod server;
pub mod telemetry;
pub mod tls;
pub mod units;
pub mod upstreams;
