//! X.509 certificates and private keys, and their PEM form.

use std::fmt;

use rustls::{
    RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use zeroize::Zeroizing;

use super::{
    crypto::crypto_provider,
    validity::{MalformedCertificate, Validity},
};

/// A private key in PEM form. Dropping it wipes it from memory; its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<String>);

impl PrivateKey {
    /// Takes the PEM form. Nothing checks it here: see [`super::certified_key`].
    pub fn from_pem(pem: String) -> Self {
        Self(Zeroizing::new(pem))
    }

    /// The PEM form.
    pub fn pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// An X.509 certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    pem: String,
    der: CertificateDer<'static>,
    /// From when to when it is valid.
    pub validity: Validity,
}

impl Certificate {
    /// Reads the DER form.
    ///
    /// # Errors
    /// When it is not an X.509 certificate.
    pub fn new(der: CertificateDer<'static>) -> Result<Self, MalformedCertificate> {
        let validity = Validity::of(&der)?;
        let pem = pem::Pem::new("CERTIFICATE", &*der);
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(Self { pem: pem::encode_config(&pem, lines), der, validity })
    }

    /// The PEM form.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether it is for this DNS name.
    pub fn is_for(&self, name: &str) -> bool {
        let Ok(name) = ServerName::try_from(name) else { return false };
        ParsedCertificate::try_from(&self.der)
            .is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({:?})", self.validity)
    }
}

/// A certificate and its private key, which belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
}

/// Whether one of `authorities` has signed `certificate` for a server.
pub fn is_signed<'a>(
    certificate: &Certificate,
    authorities: impl IntoIterator<Item = &'a Certificate>,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.into_iter().map(|ca| ca.der.clone()));
    // Any moment within its validity will do: the question is only who signed it.
    let moment = certificate.validity.not_after.duration_since(std::time::UNIX_EPOCH);
    let moment = UnixTime::since_unix_epoch(moment.unwrap_or_default());
    let algorithms = crypto_provider().signature_verification_algorithms.all;
    ParsedCertificate::try_from(&certificate.der).is_ok_and(|parsed| {
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], moment, algorithms).is_ok()
    })
}
