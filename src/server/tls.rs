//! TLS: the configuration, and the certificate that is being served.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};

/// The certificate that is being served. It can be exchanged at any time: new connections get
/// the new one, and those that are open go on. Without one, every handshake fails.
#[derive(Debug)]
pub struct ServedCertificate(ArcSwapOption<CertifiedKey>);

impl ServedCertificate {
    /// Serves `pair`.
    pub fn new(pair: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(ArcSwapOption::from_pointee(pair)))
    }

    /// Serves nothing yet.
    pub fn none() -> Arc<Self> {
        Arc::new(Self(ArcSwapOption::empty()))
    }

    /// Serves `pair` from now on.
    pub fn replace(&self, pair: CertifiedKey) {
        self.0.store(Some(Arc::new(pair)));
    }
}

impl ResolvesServerCert for ServedCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// A configuration for TLS 1.2 and 1.3, and HTTP/1.1. With `clients`, a client has to
/// show a certificate that this accepts.
///
/// # Errors
/// None that can be provoked: the provider supports both versions.
pub fn server_config(
    certificate: Arc<ServedCertificate>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The API server keeps its connections, and resumes none of them: to remember sessions would
    // only cost memory, and to offer them a write for each connection.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Why two texts are not a certificate and its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No certificate, or a broken one.
    #[error("no certificate in PEM form: {0}")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// No key, or a broken one.
    #[error("no private key in PEM form: {0}")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(#[source] rustls::Error),
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[source] rcgen::Error),
}

/// A certificate chain and its key, in PEM form.
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

/// A certificate for `localhost` that is made now and that nobody trusts.
///
/// # Errors
/// None that can be provoked, short of a machine without randomness.
pub fn throw_away() -> Result<CertifiedKey, CertificateError> {
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

/// What computes for TLS.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
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
