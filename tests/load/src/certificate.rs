//! The certificate of both servers.

use std::{fs, sync::Arc};

use anyhow::Context as _;
use rustls::{
    ClientConfig, RootCertStore, client::Resumption, crypto::ring, pki_types::CertificateDer,
};
use tempfile::TempDir;

use crate::Pair;

/// A certificate for 127.0.0.1 in two files, for as long as this lives.
pub(crate) struct Certificate {
    _folder: TempDir,
    pub(crate) pair: Pair,
    der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn make() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let folder = TempDir::new().context("no temporary folder")?;
        let (tls_cert, tls_key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        fs::write(&tls_cert, made.cert.pem())?;
        fs::write(&tls_key, made.signing_key.serialize_pem())?;
        let der = made.cert.der().clone();
        Ok(Self { _folder: folder, pair: Pair { tls_cert, tls_key }, der })
    }

    /// A client that speaks what the API server speaks to a webhook in a Service: TLS 1.3 without
    /// resumption, and HTTP/1.1.
    pub(crate) fn client_config(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}
