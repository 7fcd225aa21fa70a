//! The validity period of a certificate.

use std::time::SystemTime;

use x509_cert::{
    Certificate,
    der::{self, Decode},
};

/// The validity period of a certificate, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: SystemTime,
    /// The last moment.
    pub not_after: SystemTime,
}

/// A text is not an X.509 certificate in DER form.
#[derive(Debug, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct MalformedCertificate(#[source] der::Error);

impl Validity {
    /// Reads the validity period of a certificate in DER form.
    ///
    /// # Errors
    /// When it is not an X.509 certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, MalformedCertificate> {
        let certificate = Certificate::from_der(certificate).map_err(MalformedCertificate)?;
        let validity = certificate.tbs_certificate().validity();
        Ok(Self {
            not_before: validity.not_before.to_system_time(),
            not_after: validity.not_after.to_system_time(),
        })
    }

    /// Whether the period includes `time`.
    pub fn includes(&self, time: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// The time from `time` to the end; zero after the end.
    pub fn remaining(&self, time: SystemTime) -> std::time::Duration {
        self.not_after.duration_since(time).unwrap_or_default()
    }
}
