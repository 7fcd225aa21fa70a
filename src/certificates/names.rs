//! The DNS names of the Service.

use rustls::pki_types::ServerName;

/// The DNS names of a Service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceNames {
    service: String,
    namespace: String,
    cluster_domain: String,
}

/// The flags do not make DNS names.
#[derive(Debug, thiserror::Error)]
#[error("--service, --namespace and --cluster-domain do not make a DNS name: {0:?}")]
pub struct InvalidName(String);

impl ServiceNames {
    /// The names of `service` in `namespace`.
    ///
    /// # Errors
    /// When one of them is not a DNS name.
    pub(crate) fn new(
        service: String,
        namespace: String,
        cluster_domain: String,
    ) -> Result<Self, InvalidName> {
        let names = Self { service, namespace, cluster_domain };
        match names.all().into_iter().find(|name| !is_dns_name(name)) {
            Some(name) => Err(InvalidName(name)),
            None => Ok(names),
        }
    }

    /// The name that API servers call.
    pub(super) fn called_by_api_servers(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// All names, from the shortest to the longest.
    pub(super) fn all(&self) -> Vec<String> {
        let Self { service, namespace, cluster_domain } = self;
        vec![
            service.clone(),
            format!("{service}.{namespace}"),
            self.called_by_api_servers(),
            format!("{service}.{namespace}.svc.{cluster_domain}"),
        ]
    }
}

fn is_dns_name(name: &str) -> bool {
    matches!(ServerName::try_from(name), Ok(ServerName::DnsName(_)))
}
