//! From when to when a certificate is valid.

use std::time::SystemTime;

use x509_cert::{
    Certificate,
    der::{self, Decode},
};

/// From when to when a certificate is valid, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not valid before this.
    pub not_before: SystemTime,
    /// Not valid after this.
    pub not_after: SystemTime,
}

/// A certificate in DER form cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct MalformedCertificate(#[source] der::Error);

impl Validity {
    /// The validity of a certificate in DER form.
    ///
    /// # Errors
    /// When it is no X.509 certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, MalformedCertificate> {
        let certificate = Certificate::from_der(certificate).map_err(MalformedCertificate)?;
        let validity = certificate.tbs_certificate().validity();
        Ok(Self {
            not_before: validity.not_before.to_system_time(),
            not_after: validity.not_after.to_system_time(),
        })
    }

    /// Whether `time` is within it.
    pub fn includes(&self, time: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// How long it still lasts, as of `time`.
    pub fn remaining(&self, time: SystemTime) -> std::time::Duration {
        self.not_after.duration_since(time).unwrap_or_default()
    }
}
