//! The chart, installed by Helm with a certificate from a CA of the tests.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, LogParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::{
    command::{repository, run, run_with_input},
    namespace::{self, OPTED_IN},
};

/// The release, its namespace and its Service are all called so.
pub const NAME: &str = "apisix-prestop";
const SECRET: &str = "apisix-prestop-tls";
/// A namespace in which Pods are created to see whether the webhook answers.
const PROBE: &str = "apisix-prestop-probe";

/// The image under test: `E2E_IMAGE`.
///
/// # Errors
/// When the variable is missing or has no tag.
pub fn image() -> Result<(String, String)> {
    let image = std::env::var("E2E_IMAGE").context("E2E_IMAGE is not set: run `make e2e`")?;
    let (repository, tag) = image.rsplit_once(':').context("E2E_IMAGE has no tag")?;
    Ok((repository.to_owned(), tag.to_owned()))
}

/// Installs the chart, or upgrades it to `values` (`KEY=VALUE`, as in `--set`), and waits until
/// it is ready, nothing of an earlier version answers any more, and the API server reaches it.
///
/// # Errors
/// With what helm or kubectl wrote.
pub async fn install(client: &Client, values: &[&str]) -> Result<()> {
    install_silent(client, values).await?;
    await_answer().await
}

/// The same for values with which Pods are not changed, so that it cannot be seen whether the
/// API server reaches the webhook.
///
/// # Errors
/// As [`install`].
pub async fn install_silent(client: &Client, values: &[&str]) -> Result<()> {
    // Tests may run side by side, and helm does one thing at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _guard = ONE_AT_A_TIME.lock().await;
    namespace::ensure(NAME, "").await?;
    let ca = certificate(client).await?;
    upgrade(values, &ca).await?;
    await_drained(client).await
}

/// Runs Helm, and waits until all replicas are ready.
async fn upgrade(values: &[&str], ca: &[u8]) -> Result<()> {
    let ca_file = repository().join("target/e2e-ca.crt");
    tokio::fs::write(&ca_file, ca).await?;
    let (repository, tag) = image()?;
    let mut sets = vec![
        format!("--set=image.repository={repository},image.tag={tag}"),
        format!("--set=tls.existingSecret={SECRET}"),
        format!("--set-file=tls.caBundle={}", ca_file.display()),
        // Nothing is created while the webhook is rolled: there is nobody to wait for.
        "--set=shutdown.drainDelay=1s".to_owned(),
    ];
    if let Ok(build) = std::env::var("E2E_BUILD") {
        sets.push(format!("--set-string=podAnnotations.build={build}"));
    }
    sets.extend(values.iter().map(|value| format!("--set={value}")));
    let mut args = vec![
        "upgrade",
        "--install",
        NAME,
        "charts/apisix-prestop",
        "--namespace",
        NAME,
        "--wait",
        "--timeout=2m",
    ];
    args.extend(sets.iter().map(String::as_str));
    run("helm", &args).await?;
    Ok(())
}

/// Exchanges the CA and the certificate of the release that was installed with `values`, in the
/// order in which no review fails: trust both CAs, serve the new certificate, trust the new CA.
///
/// # Errors
/// With what helm or kubectl wrote, or when a replica does not serve the new certificate within
/// 2 minutes.
pub async fn rotate(client: &Client, values: &[&str]) -> Result<()> {
    let old = certificate(client).await?;
    let new = issue()?;
    upgrade(values, &[old.as_slice(), new["ca.crt"].0.as_slice()].concat()).await?;
    let served = certificates_served(client).await?;
    let secrets = Api::<Secret>::namespaced(client.clone(), NAME);
    let patch = Patch::Merge(serde_json::json!({"data": new}));
    secrets.patch(SECRET, &PatchParams::default(), &patch).await?;
    // Otherwise the kubelet looks at a Pod's Secrets once a minute.
    let serial = format!("e2e/rotated={}", Timestamp::now().as_millisecond());
    run("kubectl", &["-n", NAME, "annotate", "pods", "--all", "--overwrite", &serial]).await?;
    let until_served = async {
        while certificates_served(client)
            .await?
            .iter()
            .any(|(pod, count)| served.get(pod).is_some_and(|before| count <= before))
        {
            sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(120), until_served)
        .await
        .context("the new certificate is not served by all replicas")??;
    upgrade(values, &new["ca.crt"].0).await
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

/// Waits until no Pod of the release is terminating: one that drains still answers.
///
/// # Errors
/// When one does not end within a minute.
pub async fn await_drained(client: &Client) -> Result<()> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAME);
    for _ in 0..60 {
        let list = pods.list(&ListParams::default()).await?;
        if list.items.iter().all(|pod| pod.metadata.deletion_timestamp.is_none()) {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
    bail!("a Pod of the release does not end")
}

/// Waits until the API server reaches the webhook: kube-proxy hears of a ready Pod a moment after
/// everybody else.
///
/// # Errors
/// When it does not within 20 s.
pub async fn await_answer() -> Result<()> {
    namespace::ensure(PROBE, OPTED_IN).await?;
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: probe}\n\
               spec: {containers: [{name: probe, image: none}]}\n";
    let create = ["-n", PROBE, "create", "--dry-run=server", "-o", "yaml", "-f", "-"];
    for _ in 0..100 {
        if run_with_input("kubectl", &create, pod).await?.stdout.contains("preStop:") {
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
    bail!("the API server does not reach the webhook")
}

/// Removes the release, its namespace, and the one in which the tests looked for its answers.
///
/// # Errors
/// With what helm or kubectl wrote.
pub async fn uninstall() -> Result<()> {
    run("helm", &["uninstall", NAME, "--namespace", NAME, "--ignore-not-found", "--wait"]).await?;
    run("kubectl", &["delete", "namespace", NAME, PROBE, "--ignore-not-found", "--wait"]).await?;
    Ok(())
}

/// The CA of the certificate in the Secret; both are made if they are not there. A certificate
/// that is there stays: the kubelet would take a minute to show another one to the webhook.
async fn certificate(client: &Client) -> Result<Vec<u8>> {
    let secrets = Api::<Secret>::namespaced(client.clone(), NAME);
    if let Some(secret) = secrets.get_opt(SECRET).await? {
        let ca = secret.data.and_then(|mut data| data.remove("ca.crt"));
        return Ok(ca.context("the Secret has no ca.crt")?.0);
    }
    let data = issue()?;
    let ca = data["ca.crt"].0.clone();
    let secret = Secret {
        metadata: ObjectMeta { name: Some(SECRET.to_owned()), ..ObjectMeta::default() },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(data),
        ..Secret::default()
    };
    secrets.create(&PostParams::default(), &secret).await?;
    Ok(ca)
}

/// A CA and a certificate of it for the Service, as they are in the Secret.
fn issue() -> Result<BTreeMap<String, ByteString>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let params = CertificateParams::new([format!("{NAME}.{NAME}.svc")])?;
    let certificate = params.signed_by(&key, &ca)?;
    let data =
        [("tls.crt", certificate.pem()), ("tls.key", key.serialize_pem()), ("ca.crt", ca.pem())];
    let data = data.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())));
    Ok(data.into())
}
