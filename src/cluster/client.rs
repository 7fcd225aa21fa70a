//! The way to the API server of the cluster that we run in.

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt},
    config::InClusterError,
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tower::{BoxError, ServiceBuilder};

use super::token::TokenFile;
use crate::{constants::API_REQUEST_TIMEOUT, tls::crypto_provider};

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// We are not a Pod, or one without a token.
    #[error("this is no Pod of a cluster: {0}")]
    NotInCluster(#[from] InClusterError),
    /// The Pod has no token.
    #[error("the Pod's ServiceAccount has no token file")]
    NoToken,
    /// The cluster's CA is not one.
    #[error("cannot trust the cluster's CA: {0}")]
    Ca(#[from] rustls::Error),
}

/// A client with the rights of our Pod's ServiceAccount.
///
/// Made of kube's parts rather than by `Client::try_from`, which can also read any kubeconfig and
/// run its credential plugins: with all that this needs, a third of the binary.
///
/// # Errors
/// When we are not a Pod, or one without a ServiceAccount's token.
pub fn in_cluster_client() -> Result<Client, ClientError> {
    let config = Config::incluster()?;
    let token = config.auth_info.token_file.as_deref().ok_or(ClientError::NoToken)?;
    let token = TokenFile::new(token);

    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(API_REQUEST_TIMEOUT));
    // Finds out about an API server that has gone without a word while we watch something.
    http.set_keepalive(Some(API_REQUEST_TIMEOUT));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls(config.root_cert.as_deref().unwrap_or_default())?)
        .https_only()
        .enable_http1()
        .wrap_connector(http);

    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .map_err(BoxError::from)
        .filter(move |request| token.authorize(request))
        .service(HttpClient::builder(TokioExecutor::new()).build::<_, Body>(https));
    tracing::info!(api_server = %config.cluster_url, "using an API server");
    Ok(Client::new(service, config.default_namespace))
}

fn tls(roots: &[Vec<u8>]) -> Result<ClientConfig, rustls::Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(CertificateDer::from_slice(root))?;
    }
    Ok(ClientConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth())
}
