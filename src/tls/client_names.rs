//! Which of the clients with a certificate are accepted.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// Accepts the clients that `clients` accepts and whose certificate has one of `names`, as its
/// common name or as a DNS name.
#[derive(Debug)]
pub(super) struct NamedClients {
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) names: Vec<String>,
}

impl NamedClients {
    fn allows(&self, certificate: &Certificate) -> bool {
        let is_allowed = |name: &str| self.names.iter().any(|allowed| allowed == name);
        let certificate = certificate.tbs_certificate();
        let common_name = certificate.subject().common_name().ok().flatten();
        if common_name.is_some_and(|name| is_allowed(name.value().as_ref())) {
            return true;
        }
        let names = certificate.get_extension::<SubjectAltName>().ok().flatten();
        names.is_some_and(|(_, names)| {
            let mut names = names.0.iter();
            names
                .any(|name| matches!(name, GeneralName::DnsName(name) if is_allowed(name.as_str())))
        })
    }
}

impl ClientCertVerifier for NamedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.clients.verify_client_cert(end_entity, intermediates, now)?;
        let certificate = Certificate::from_der(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.allows(&certificate) {
            Ok(verified)
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.clients.supported_verify_schemes()
    }
}
