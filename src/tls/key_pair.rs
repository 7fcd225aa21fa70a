//! A certificate chain and its key, ready to be served.

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::crypto::crypto_provider;

/// Why two texts do not make a certificate and its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No certificate, or a broken one.
    #[error("no certificate in PEM form: {0}")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// No key, or a broken one.
    #[error("no private key in PEM form: {0}")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// The two do not belong together, or their kind is not supported.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(#[source] rustls::Error),
    /// No certificate can be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[source] rcgen::Error),
}

/// Reads a certificate chain and its key, in PEM form.
///
/// # Errors
/// When either is missing or broken, or they do not belong together.
pub fn certified_key(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(CertificateError::Certificate)?;
    if chain.is_empty() {
        return Err(CertificateError::Certificate(rustls::pki_types::pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
    pair(chain, key)
}

/// A new self-signed certificate for `localhost`. No client trusts it.
///
/// # Errors
/// When the machine has no randomness.
pub fn self_signed() -> Result<CertifiedKey, CertificateError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(CertificateError::Make)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    pair(vec![made.cert.into()], key.into())
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CertificateError> {
    CertifiedKey::from_der(chain, key, &crypto_provider()).map_err(CertificateError::Pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_read() {
        let (chain, key) = pem();
        assert_eq!(certified_key(chain.as_bytes(), key.as_bytes()).unwrap().cert.len(), 1);
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        let ((chain, key), (_, other_key)) = (pem(), pem());
        let half = &key[..key.len() / 2];
        for (case, chain, key, message) in [
            ("empty certificate", "", key.as_str(), "no certificate in PEM form"),
            ("empty key", chain.as_str(), "", "no private key in PEM form"),
            ("half a key", &chain, half, "no private key in PEM form"),
            ("key of another", &chain, &other_key, "certificate and key cannot be used together"),
            ("exchanged", &key, &chain, "no certificate in PEM form"),
        ] {
            let error = certified_key(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{case}: {error}");
        }
    }
}
