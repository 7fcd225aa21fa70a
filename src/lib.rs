//! apisix-prestop: a mutating admission webhook that gives Pods behind Apache APISIX the time
//! to leave its routes before they stop.
//!
//! [`injection`] is the pure core, from a Pod and a policy to a decision. Around it:
//! [`admission`] reads and writes AdmissionReviews, with [`json`] to step over what is of no
//! interest, [`server`] is HTTP and TLS, [`certificates`] makes and renews what it serves,
//! [`cluster`] is what is read from the API server, [`manifests`] does to files what the webhook
//! does to Pods, [`telemetry`] logs and counts, [`cli`] puts it together.

pub mod admission;
pub mod certificates;
pub mod cli;
pub mod cluster;
pub mod constants;
pub mod injection;
pub mod json;
pub mod lifetime;
pub mod manifests;
pub mod seconds;
pub mod server;
pub mod telemetry;
