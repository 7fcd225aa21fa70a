//! The CA that issues the certificates of clients.

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

use super::{client_names::NamedClients, crypto::crypto_provider};

/// Why the file of `--client-ca` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--client-ca {}: {cause}", path.display())]
pub struct ClientCaError {
    path: PathBuf,
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("no certificate in PEM form: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("not the certificate of a CA: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("no certificate in PEM form")]
    Empty(#[source] VerifierBuilderError),
}

/// Accepts only clients that present a certificate of a CA in `path`: a file with one or more
/// certificates in PEM form, which is read once. With `names`, the certificate must have one of them.
///
/// # Errors
/// When the file cannot be read or holds no usable certificate.
pub fn client_verifier(
    path: &Path,
    names: Vec<String>,
) -> Result<Arc<dyn ClientCertVerifier>, ClientCaError> {
    let clients = verifier(path).map_err(|cause| ClientCaError { path: path.to_owned(), cause })?;
    if names.is_empty() {
        return Ok(clients);
    }
    Ok(Arc::new(NamedClients { clients, names }))
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Cause> {
    let pem = fs::read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider());
    builder.build().map_err(Cause::Empty)
}
