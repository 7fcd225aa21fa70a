//! The CA whose certificates clients have to show.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::tls::crypto_provider;

/// Why the file of `--client-ca` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--client-ca {}: {reason}", path.display())]
pub struct ClientCaError {
    path: PathBuf,
    #[source]
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("no certificate in PEM form: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("not the certificate of a CA: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("no certificate in PEM form")]
    Empty(#[source] VerifierBuilderError),
}

/// Lets only clients in that show a certificate of a CA in `path`, which holds one or more in
/// PEM form and is read once.
///
/// # Errors
/// When the file cannot be read or holds no usable certificate.
pub fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, ClientCaError> {
    verifier(path).map_err(|reason| ClientCaError { path: path.to_owned(), reason })
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Reason> {
    let pem = fs::read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider());
    builder.build().map_err(Reason::Empty)
}
