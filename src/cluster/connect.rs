//! The client for the API server.

use kube::{
    Client, Config,
    config::{InClusterError, KubeConfigOptions, KubeconfigError},
};

use crate::{
    constants::{API_READ_TIMEOUT, API_REQUEST_TIMEOUT},
    tls::crypto_provider,
};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// There is neither a ServiceAccount nor a kubeconfig.
    #[error("no ServiceAccount of a Pod ({in_cluster}), and no kubeconfig ({kubeconfig})")]
    NoConfig {
        /// Why there is no ServiceAccount.
        in_cluster: InClusterError,
        /// Why there is no kubeconfig.
        kubeconfig: KubeconfigError,
    },
    /// The configuration is not usable.
    #[error("cannot use the configuration of the API server {api_server}: {error}")]
    Unusable {
        /// The URL of the API server.
        api_server: String,
        /// Why.
        error: kube::Error,
    },
}

/// A client with the credentials of the Pod's ServiceAccount, or else of the kubeconfig.
///
/// The client sends its requests on the current tokio runtime. An API server that does not answer
/// is not an error yet.
///
/// # Errors
/// When there are no credentials, or they are not usable.
pub(crate) async fn connect() -> Result<Client, ConnectError> {
    let mut config = find_config().await?;
    config.connect_timeout = Some(API_REQUEST_TIMEOUT);
    // kube's client has no TCP keep-alive: this notices an API server that is gone without a word.
    config.read_timeout = Some(API_READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // Callers retry with a back-off of their own, which kube's would multiply.
    config.default_retry = false;
    // kube's client takes the provider of the process. If there is one already, it is the same.
    let _ = crypto_provider().as_ref().clone().install_default();
    let api_server = config.cluster_url.to_string();
    match Client::try_from(config) {
        Ok(client) => {
            tracing::info!(api_server, "using an API server");
            Ok(client)
        }
        Err(error) => Err(ConnectError::Unusable { api_server, error }),
    }
}

/// In a Pod, the ServiceAccount comes first: the process may do what RBAC allows the Pod to do.
async fn find_config() -> Result<Config, ConnectError> {
    let in_cluster = match Config::incluster() {
        Ok(config) => return Ok(config),
        Err(error) => error,
    };
    let kubeconfig = Config::from_kubeconfig(&KubeConfigOptions::default()).await;
    kubeconfig.map_err(|kubeconfig| ConnectError::NoConfig { in_cluster, kubeconfig })
}
