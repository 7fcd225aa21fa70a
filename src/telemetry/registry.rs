//! The metrics, in the OpenMetrics text format. Each room registers its own.

use prometheus_client::{metrics::info::Info, registry::Registry};

/// A registry with the version of the program in it.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("apisix_prestop");
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The version of the program", build);
    registry
}
