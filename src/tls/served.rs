//! The served certificate, and the configuration of the TLS server.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    ServerConfig,
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};

use super::crypto::crypto_provider;

/// The certificate that the server presents. It can be replaced at any time: new connections get
/// the new one, open connections continue. Without one, every handshake fails.
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

/// The configuration of a server that speaks HTTP/1.1 over TLS 1.2 or 1.3. With `clients`, a client
/// must present a certificate that the verifier accepts.
///
/// # Errors
/// When the provider of cryptography supports neither version.
pub fn server_config(
    certificate: Arc<ServedCertificate>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The API server keeps its connections and resumes no session: storing sessions costs memory,
    // and a ticket costs a write for each connection.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
