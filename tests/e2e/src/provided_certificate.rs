//! A certificate that the webhook does not issue: a Secret, and the values of the chart for it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, LogParams, Patch, PatchParams},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use support::eventually;

use crate::{command::run, installation::NAME};

const SERVED_LIMIT: Duration = Duration::from_secs(120);

/// A CA, and a certificate of it for the Service.
#[derive(Debug)]
pub struct Pair {
    ca: CertifiedIssuer<'static, KeyPair>,
    certificate: String,
    key: String,
}

impl Pair {
    /// A new one, with a certificate for the Service changed by `change`.
    ///
    /// # Errors
    /// When `change` leaves parameters that cannot be signed.
    pub fn new(change: impl FnOnce(&mut CertificateParams)) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([format!("{NAME}.{NAME}.svc")])?;
        change(&mut params);
        let certificate = params.signed_by(&key, &ca)?.pem();
        Ok(Self { ca, certificate, key: key.serialize_pem() })
    }

    /// The CA's certificate, as PEM.
    pub fn ca(&self) -> String {
        self.ca.pem()
    }

    /// What is in a Secret.
    pub fn files(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("tls.crt", self.certificate.clone()),
            ("tls.key", self.key.clone()),
            ("ca.crt", self.ca.pem()),
            ("ca.key", self.ca.key().serialize_pem()),
        ])
    }

    /// Writes a Secret of this name in the release's namespace.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn write(&self, client: &Client, name: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name}, "stringData": self.files(),
        });
        let secrets = Api::<Secret>::namespaced(client.clone(), NAME);
        let apply = PatchParams::apply("e2e").force();
        secrets.patch(name, &apply, &Patch::Apply(&secret)).await?;
        Ok(())
    }
}

/// The CAs' certificates, as PEM.
pub fn bundle(cas: &[&Pair]) -> String {
    cas.iter().map(|pair| pair.ca()).collect()
}

/// The values with which the chart uses the Secret, and trusts these CAs.
pub fn values(secret: &str, cas: &[&Pair]) -> [String; 3] {
    [
        "tls.mode=existingSecret".to_owned(),
        format!("tls.existingSecret={secret}"),
        format!("tls.caBundle={}", bundle(cas)),
    ]
}

/// Writes the Secret, and waits until all replicas serve what is in it.
///
/// # Errors
/// Those of the API server, or when a replica does not serve it within 2 minutes.
pub async fn serve(client: &Client, secret: &str, pair: &Pair) -> Result<()> {
    let before = certificates_served(client).await?;
    pair.write(client, secret).await?;
    // Otherwise the kubelet looks at a Pod's Secrets once a minute.
    let now = format!("e2e/written={}", Timestamp::now().as_millisecond());
    run("kubectl", &["-n", NAME, "annotate", "pods", "--all", "--overwrite", &now]).await?;
    eventually("all replicas to serve the certificate", SERVED_LIMIT, async || {
        let served = certificates_served(client).await?;
        let is_late =
            |(pod, count): &(&String, &usize)| served.get(*pod).is_some_and(|n| n <= count);
        let late: Vec<_> = before.iter().filter(is_late).map(|(pod, _)| pod.as_str()).collect();
        ensure!(late.is_empty(), "{} do not serve it yet", late.join(", "));
        Ok(())
    })
    .await?;
    Ok(())
}

/// How often each replica has begun to serve another certificate.
async fn certificates_served(client: &Client) -> Result<BTreeMap<String, usize>> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAME);
    let mut served = BTreeMap::new();
    for pod in pods.list(&ListParams::default()).await?.items {
        let log = pods.logs(&pod.name_any(), &LogParams::default()).await?;
        served.insert(pod.name_any(), log.matches("serving the new certificate").count());
    }
    Ok(served)
}
