//! The log, the metrics registry, and the process's own limits.

mod descriptors;
mod log;
mod registry;
mod stderr;

pub use descriptors::raise_descriptor_limit;
pub use log::{LogFilter, LogFormat, start_log};
pub use registry::registry;
