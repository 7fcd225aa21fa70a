//! Issues certificates with ECDSA P-256 keys.
//!
//! All CAs have the same name: the key identifiers in the certificates say which CA signed which,
//! and verifiers try all that match. So signing needs only the key of the CA.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use zeroize::Zeroizing;

use crate::tls::{Certificate, MalformedCertificate, Pair, PrivateKey, Validity};

const CA_NAME: &str = "apisix-prestop CA";
const SERVING_NAME: &str = "apisix-prestop";
/// X.509 has no date after the year 9999.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

/// A certificate cannot be issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// The key or the signature failed.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The result is malformed.
    #[error(transparent)]
    Malformed(#[from] MalformedCertificate),
}

/// A new CA.
pub(super) fn new_ca(validity: Validity) -> Result<Pair, IssueError> {
    let key = Zeroizing::new(KeyPair::generate()?);
    Ok(Pair { certificate: self_sign(&key, validity)?, key: pem_of(&key) })
}

/// Signs the certificate of a CA again, with the same key and another end.
pub(super) fn end_at(ca: &Pair, not_after: SystemTime) -> Result<Certificate, IssueError> {
    let validity = Validity { not_after, ..ca.certificate.validity };
    let key = key_of(ca)?;
    self_sign(&key, validity)
}

/// A new serving certificate, signed by `ca`.
pub(super) fn sign(ca: &Pair, names: &[String], validity: Validity) -> Result<Pair, IssueError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(SERVING_NAME);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, validity);
    let (ca_params, ca_key) = (ca_params(), key_of(ca)?);
    let key = Zeroizing::new(KeyPair::generate()?);
    let signed = params.signed_by(&*key, &Issuer::from_params(&ca_params, &*ca_key))?;
    Ok(Pair { certificate: Certificate::new(signed.into())?, key: pem_of(&key) })
}

fn self_sign(key: &KeyPair, validity: Validity) -> Result<Certificate, IssueError> {
    let mut params = ca_params();
    set_validity(&mut params, validity);
    Ok(Certificate::new(params.self_signed(key)?.into())?)
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    // X.509 has whole seconds.
    let date = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST_DATE);
        date_time_ymd(1970, 1, 1) + Duration::from_secs(since.as_secs())
    };
    params.not_before = date(validity.not_before);
    params.not_after = date(validity.not_after);
}

fn key_of(pair: &Pair) -> Result<Zeroizing<KeyPair>, rcgen::Error> {
    KeyPair::from_pem(pair.key.pem()).map(Zeroizing::new)
}

fn pem_of(key: &KeyPair) -> PrivateKey {
    PrivateKey::from_pem(key.serialize_pem())
}
