//! The metrics of certificates.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CertificateRole {
    /// The server presents it.
    Serving,
    /// The CA that signed it.
    Ca,
    /// The next CA.
    NextCa,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExpiryLabels {
    certificate: &'static str,
}

/// Reloads of the serving certificate, and when each certificate expires.
#[derive(Clone, Debug)]
pub struct CertificateMetrics {
    reloaded: Counter,
    reload_failed: Counter,
    expiry: Family<ExpiryLabels, Gauge>,
}

impl CertificateMetrics {
    /// Adds the metrics to `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let reloads = Family::<ReloadLabels, Counter>::default();
        let [reloaded, reload_failed] = ["success", "failure"]
            .map(|result| reloads.get_or_create_owned(&ReloadLabels { result }));
        registry.register("certificate_reloads", "Reloads of the serving certificate", reloads);

        // Without a certificate there is no series: an expiry in 1970 would fire alerts.
        let expiry = Family::<ExpiryLabels, Gauge>::default();
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the certificate expires",
            expiry.clone(),
        );
        Self { reloaded, reload_failed, expiry }
    }

    /// Counts a reload of the serving certificate.
    pub fn count_reload(&self, success: bool) {
        if success { &self.reloaded } else { &self.reload_failed }.inc();
    }

    /// Shows when a certificate expires, or removes the series of a certificate that is gone.
    pub fn set_expiry(&self, role: CertificateRole, expiry: Option<SystemTime>) {
        let labels = ExpiryLabels { certificate: role.into() };
        let Some(expiry) = expiry else {
            self.expiry.remove(&labels);
            return;
        };
        let seconds = expiry.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let gauge = self.expiry.get_or_create_owned(&labels);
        gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}
