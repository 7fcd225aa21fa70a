//! What people can see of the running webhook: its log and its metrics.

mod duration_histogram;
mod log;
mod metrics;

pub use log::{LogFilter, LogFormat, start_log};
pub use metrics::{Metrics, NamedCertificate, Refusal};
