//! Where the certificate comes from.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use futures::future::BoxFuture;
use kube::Client;
use rustls::{ServerConfig, server::danger::ClientCertVerifier};

use crate::{
    certificates::{InvalidName, Lifetimes, Outlets, SelfManaged, ServiceNames},
    constants::{
        DEFAULT_CA_LIFETIME, DEFAULT_CA_PROPAGATION, DEFAULT_CERTIFICATE_LIFETIME,
        DEFAULT_CLUSTER_DOMAIN, DEFAULT_NAME, DEFAULT_TLS_SECRET,
    },
    readiness::Readiness,
    tls::{
        CertificateError, CertificateFiles, CertificateFilesError, CertificateMetrics,
        ClientCaError, ServedCertificate, client_verifier, self_signed, server_config,
    },
    units::Lifetime,
};

/// Where the certificate comes from.
#[derive(Debug, Args)]
pub struct TlsArgs {
    /// Where the certificate comes from. The default is files with --tls-cert, otherwise
    /// self-signed
    #[arg(long, value_name = "SOURCE", env = "APISIX_PRESTOP_TLS", value_enum)]
    pub tls: Option<TlsMode>,
    /// The certificate chain, in PEM form; reloaded when it changes
    #[arg(
        long,
        value_name = "FILE",
        env = "APISIX_PRESTOP_TLS_CERT",
        requires = "tls_key",
        required_if_eq("tls", "files")
    )]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM form; reloaded when it changes
    #[arg(long, value_name = "FILE", env = "APISIX_PRESTOP_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// CA certificates, in PEM form: the webhook accepts only clients that present a certificate of
    /// these CAs. The admin listener accepts all
    #[arg(long, value_name = "FILE", env = "APISIX_PRESTOP_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,
    /// With --client-ca: the certificate of a client must have one of these names, as its common
    /// name or as a DNS name. Without this flag, every certificate of the CAs is accepted
    #[arg(
        long,
        value_name = "NAMES",
        env = "APISIX_PRESTOP_CLIENT_NAMES",
        value_delimiter = ',',
        requires = "client_ca",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub client_names: Vec<String>,
    /// The details of self-managed.
    #[command(flatten)]
    pub self_managed: SelfManagedArgs,
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// The webhook issues and renews it with a CA of its own, in a Secret that all replicas share
    SelfManaged,
    /// From --tls-cert and --tls-key
    Files,
    /// Issued in memory for a first try: no API server trusts it
    SelfSigned,
}

/// The details of self-managed.
#[derive(Debug, Args)]
pub struct SelfManagedArgs {
    /// self-managed: the namespace of the Service and the Secret
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_NAMESPACE", default_value = DEFAULT_NAME)]
    pub namespace: String,
    /// self-managed: the Service that API servers call
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_SERVICE", default_value = DEFAULT_NAME)]
    pub service: String,
    /// self-managed: the DNS domain of the cluster
    #[arg(long, value_name = "DOMAIN", env = "APISIX_PRESTOP_CLUSTER_DOMAIN", default_value = DEFAULT_CLUSTER_DOMAIN)]
    pub cluster_domain: String,
    /// self-managed: the Secret that holds CA and certificate
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_TLS_SECRET", default_value = DEFAULT_TLS_SECRET)]
    pub tls_secret: String,
    /// self-managed: the MutatingWebhookConfiguration to publish the CA bundle in
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_WEBHOOK_CONFIGURATION", default_value = DEFAULT_NAME)]
    pub webhook_configuration: String,
    /// self-managed: how long a CA is valid, 1s to 36500d. It is replaced after two thirds
    #[arg(long, value_name = "LIFETIME", env = "APISIX_PRESTOP_CA_LIFETIME", default_value_t = Lifetime::clamped(DEFAULT_CA_LIFETIME))]
    pub ca_lifetime: Lifetime,
    /// self-managed: how long a certificate is valid, 1s to less than --ca-lifetime. It is
    /// renewed after two thirds
    #[arg(long, value_name = "LIFETIME", env = "APISIX_PRESTOP_CERTIFICATE_LIFETIME", default_value_t = Lifetime::clamped(DEFAULT_CERTIFICATE_LIFETIME))]
    pub certificate_lifetime: Lifetime,
    /// self-managed: how long to publish a new CA before it signs certificates, so that every API
    /// server has it: 1s to less than a third of --ca-lifetime
    #[arg(long, value_name = "TIME", env = "APISIX_PRESTOP_CA_PROPAGATION", default_value_t = Lifetime::clamped(DEFAULT_CA_PROPAGATION))]
    pub ca_propagation: Lifetime,
}

/// Why there is no certificate to serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Files and another source.
    #[error("--tls-cert and --tls-key are for --tls files")]
    UnusedFiles,
    /// A certificate must expire before its CA.
    #[error("--certificate-lifetime {certificate} must be shorter than --ca-lifetime {ca}")]
    CertificateOutlivesCa {
        /// The lifetime of the certificate.
        certificate: Lifetime,
        /// The lifetime of the CA.
        ca: Lifetime,
    },
    /// A rotation must be over before the CA expires.
    #[error("--ca-propagation {propagation} must be shorter than a third of --ca-lifetime {ca}")]
    PropagationOutlivesCa {
        /// The time to publish a new CA.
        propagation: Lifetime,
        /// The lifetime of the CA.
        ca: Lifetime,
    },
    /// The names do not make a DNS name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The files of the certificate are not usable.
    #[error(transparent)]
    Files(#[from] CertificateFilesError),
    /// The CA of the clients is not usable.
    #[error(transparent)]
    ClientCa(#[from] ClientCaError),
    /// rustls refuses the configuration.
    #[error("cannot set up TLS: {0}")]
    Config(#[from] rustls::Error),
    /// No self-signed certificate.
    #[error(transparent)]
    SelfSigned(#[from] CertificateError),
    /// There is no API server to keep the Secret.
    #[error(
        "--tls self-managed needs an API server: run it in a Pod with a ServiceAccount, or with a \
         kubeconfig"
    )]
    NoApiServer,
}

impl TlsError {
    /// Whether other flags would help.
    pub(super) const fn is_usage(&self) -> bool {
        !matches!(self, Self::Config(_) | Self::SelfSigned(_) | Self::NoApiServer)
    }
}

impl SelfManagedArgs {
    fn checked(self) -> Result<SelfManaged, TlsError> {
        let (ca, certificate) = (self.ca_lifetime, self.certificate_lifetime);
        let propagation = self.ca_propagation;
        if certificate >= ca {
            return Err(TlsError::CertificateOutlivesCa { certificate, ca });
        }
        if propagation.duration() >= ca.duration() / 3 {
            return Err(TlsError::PropagationOutlivesCa { propagation, ca });
        }
        Ok(SelfManaged {
            names: ServiceNames::new(self.service, self.namespace.clone(), self.cluster_domain)?,
            namespace: self.namespace,
            secret: self.tls_secret,
            configuration: self.webhook_configuration,
            lifetimes: Lifetimes {
                ca: ca.duration(),
                certificate: certificate.duration(),
                propagation: propagation.duration(),
            },
        })
    }
}

/// The served certificate, and the source of the next one.
pub(super) struct Tls {
    served: Arc<ServedCertificate>,
    source: CertificateSource,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    metrics: CertificateMetrics,
}

enum CertificateSource {
    SelfManaged(Box<SelfManaged>),
    Files(CertificateFiles),
    SelfSigned,
}

impl Tls {
    /// Opens the source that the flags name. A self-managed certificate arrives later.
    pub(super) fn new(
        args: TlsArgs,
        readiness: &Readiness,
        metrics: CertificateMetrics,
    ) -> Result<Self, TlsError> {
        let TlsArgs { tls, tls_cert, tls_key, client_ca, client_names, self_managed } = args;
        let clients = client_ca.as_deref();
        let clients = clients.map(|path| client_verifier(path, client_names)).transpose()?;
        let (served, source) = match (tls, tls_cert.zip(tls_key)) {
            (None | Some(TlsMode::Files), Some((chain, key))) => {
                let (files, pair) = CertificateFiles::open(chain, key)?;
                files.show_expiry(&metrics);
                (ServedCertificate::new(pair), CertificateSource::Files(files))
            }
            (_, Some(_)) => return Err(TlsError::UnusedFiles),
            (Some(TlsMode::SelfManaged), None) => {
                let self_managed = self_managed.checked()?;
                self_managed.announce(readiness);
                (ServedCertificate::none(), CertificateSource::SelfManaged(Box::new(self_managed)))
            }
            // clap requires the files of `files`.
            (_, None) => {
                tracing::warn!(
                    "serving a self-signed certificate that no API server trusts: see --tls"
                );
                (ServedCertificate::new(self_signed()?), CertificateSource::SelfSigned)
            }
        };
        Ok(Self { served, source, clients, metrics })
    }

    /// The configuration of the TLS server.
    pub(super) fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        Ok(Arc::new(server_config(self.served.clone(), self.clients.clone())?))
    }

    /// Whether the source needs an API server.
    pub(super) const fn needs_api_server(&self) -> bool {
        matches!(self.source, CertificateSource::SelfManaged(_))
    }

    /// Whether each client has to show a certificate.
    pub(super) const fn knows_clients(&self) -> bool {
        self.clients.is_some()
    }

    /// Whether the certificate is self-signed, for a first try.
    pub(super) const fn is_self_signed(&self) -> bool {
        matches!(self.source, CertificateSource::SelfSigned)
    }

    /// The task that replaces the certificate, for as long as the server runs. `None` if the
    /// certificate never changes.
    pub(super) fn follow(
        self,
        client: Option<&Client>,
        readiness: Arc<Readiness>,
    ) -> Result<Option<BoxFuture<'static, ()>>, TlsError> {
        let Self { served, source, metrics, clients: _ } = self;
        Ok(match source {
            CertificateSource::SelfSigned => None,
            CertificateSource::Files(files) => Some(Box::pin(files.follow(served, metrics))),
            CertificateSource::SelfManaged(self_managed) => {
                let client = client.ok_or(TlsError::NoApiServer)?.clone();
                Some(Box::pin(self_managed.follow(client, Outlets { served, readiness, metrics })))
            }
        })
    }
}
