//! What a replica serves, as the API server would see it.

use std::sync::{Arc, OnceLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{Api, api::ListParams};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::api_reader::ApiReader;
use crate::{
    constants::{API_REQUEST_TIMEOUT, CONCURRENT_REQUESTS},
    preflight::{ReplicaPod, ServedFacts, ServedValidity, WebhookService},
    tls::{Validity, crypto_provider},
};

/// Reads a `caBundle`.
pub(super) fn bundle(text: &str) -> Result<RootCertStore, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let pem = BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.map(|it| roots.add(it)).map_err(|error| error.to_string())?;
        added.map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it has no certificate".to_owned()) } else { Ok(roots) }
}

/// What each of `replicas` serves, through a port-forward.
pub(super) async fn through_port_forward(
    reader: &ApiReader,
    service: &WebhookService,
    roots: &Arc<RootCertStore>,
    replicas: &[&ReplicaPod],
) -> Vec<ServedFacts> {
    let pods = Api::<Pod>::namespaced(reader.client.clone(), &service.namespace);
    let served = stream::iter(replicas).map(async |replica| {
        let (name, port) = (&replica.metadata.named.name, replica.webhook_port());
        let seen = async {
            let forwarded = pods.portforward(name, &[port]).await;
            let mut forwarder = forwarded.map_err(|error| error.to_string())?;
            let stream = forwarder.take_stream(port).ok_or("there is no stream")?;
            let failure = forwarder.take_error(port).ok_or("there is no stream")?;
            tokio::select! {
                seen = see(stream, service, roots.clone()) => seen,
                // What the kubelet says, for example that nobody listens.
                Some(error) = failure => Err(error),
            }
        };
        ServedFacts { replica: name.to_owned(), certificate: in_time(seen).await }
    });
    served.buffered(CONCURRENT_REQUESTS).collect().await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceAddress {
    spec: ServiceAddressSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceAddressSpec {
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
}

/// What the Service serves, from inside the cluster: at its address, as for the API server.
pub(super) async fn through_service(
    reader: &ApiReader,
    service: &WebhookService,
    roots: Arc<RootCertStore>,
) -> ServedFacts {
    let named = ListParams::default().fields(&format!("metadata.name={}", service.name));
    let found = reader.list::<Service, ServiceAddress>(Some(&service.namespace), named).await;
    let missing = found.missing.unwrap_or_else(|| "there is no such Service".to_owned());
    let seen = async {
        let address = found.items.first().map(|it| it.spec.cluster_ip.as_str()).ok_or(missing)?;
        let stream = TcpStream::connect((address, service.port.unwrap_or(443))).await;
        see(stream.map_err(|error| error.to_string())?, service, roots).await
    };
    let certificate = in_time(seen).await;
    ServedFacts { replica: host(service), certificate }
}

/// The name that the API server expects in the certificate.
fn host(service: &WebhookService) -> String {
    format!("{}.{}.svc", service.name, service.namespace)
}

async fn in_time<T>(seen: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let seen = tokio::time::timeout(API_REQUEST_TIMEOUT, seen).await;
    let limit = API_REQUEST_TIMEOUT.as_secs();
    seen.unwrap_or_else(|_| Err(format!("no answer within {limit} s")))
}

async fn see(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: &WebhookService,
    roots: Arc<RootCertStore>,
) -> Result<ServedValidity, String> {
    let text = |error: &dyn ToString| error.to_string();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, crypto_provider()).build();
    let verifier = verifier.map_err(|error| text(&error))?;
    let witness = Arc::new(Witness { verifier, seen: OnceLock::new() });
    let config = ClientConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| text(&error))?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(host(service)).map_err(|error| text(&error))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    // A webhook with --client-ca refuses us later, but has shown its certificate.
    match (witness.seen.get(), connected) {
        (Some(seen), _) => seen.clone(),
        (None, Err(error)) => Err(text(&error)),
        (None, Ok(_)) => Err("it has shown no certificate".to_owned()),
    }
}

/// Notes what is served, and whether the API server would trust it.
#[derive(Debug)]
struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    seen: OnceLock<Result<ServedValidity, String>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let seen = match Validity::of(end_entity) {
            Ok(Validity { not_before, not_after }) => {
                let distrust = verified.as_ref().err().map(ToString::to_string);
                Ok(ServedValidity { distrust, not_before, not_after })
            }
            Err(error) => Err(error.to_string()),
        };
        let _ = self.seen.set(seen);
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
