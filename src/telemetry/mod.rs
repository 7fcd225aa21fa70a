//! The log and the metrics registry.

mod log;
mod registry;
mod stderr;

pub use log::{LogFilter, LogFormat, start_log};
pub use registry::registry;
