//! Creates Pods without a pause while the webhook is restarted, scaled, killed, upgraded and gets
//! other certificates, and counts the Pods without the hook.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Result, bail};
use apisix_prestop_e2e::{
    command::run,
    installation::{self, NAME, SECRET},
    namespace::{OPTED_IN, ensure, with_values},
    provided_certificate::{self, Pair},
    storm::{self, RATE, Storm},
};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use tokio::{sync::Mutex, time::timeout};

/// The chart's own drain delay, and the replicas that the events are about.
const VALUES: [&str; 2] = ["replicaCount=3", "shutdown.drainDelay=5s"];
/// The shortest time of a storm. Most events take about as long.
const SHORTEST: Duration = Duration::from_secs(35);

/// Runs a storm during the event, and prints the result.
async fn storm(
    name: &str,
    values: &[&str],
    event: impl AsyncFnOnce(Client) -> Result<()>,
    check: impl FnOnce(&Storm),
) -> Result<()> {
    with_values("storm", OPTED_IN, &[&VALUES[..], values].concat(), async |client, namespace| {
        let storm =
            storm::during(&client, namespace, name, SHORTEST, event(client.clone())).await?;
        println!("{storm}");
        assert_eq!(storm.refused, [""; 0], "no Pod is refused: {storm:#?}");
        let rate = storm.created as f64 / storm.took.as_secs_f64();
        assert!(rate >= 0.8 * f64::from(RATE), "only {rate} Pods per second: {storm:#?}");
        check(&storm);
        Ok(())
    })
    .await
}

fn none_goes_without(storm: &Storm) {
    assert_eq!(storm.without_hook, [Duration::ZERO; 0], "all have the hook: {storm:#?}");
}

async fn kubectl(args: &[&str]) -> Result<()> {
    run("kubectl", &[&["-n", NAME], args].concat()).await?;
    Ok(())
}

/// Waits until the Deployment is complete and the old replicas are gone.
async fn rolled(client: &Client) -> Result<()> {
    kubectl(&["rollout", "status", "deployment", NAME, "--timeout=120s"]).await?;
    installation::await_drained(client).await
}

async fn scale(client: &Client, replicas: u32) -> Result<()> {
    kubectl(&["scale", "deployment", NAME, &format!("--replicas={replicas}")]).await?;
    rolled(client).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_webhook_is_restarted() -> Result<()> {
    let event = async |client: Client| {
        kubectl(&["rollout", "restart", "deployment", NAME]).await?;
        rolled(&client).await
    };
    storm("rollout restart", &[], event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_webhook_is_scaled() -> Result<()> {
    let event = async |client: Client| {
        scale(&client, 1).await?;
        scale(&client, 3).await
    };
    storm("scaled 3, 1, 3", &[], event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_chart_is_upgraded() -> Result<()> {
    let event = async |client: Client| {
        let values = [&VALUES[..], &["injection.delay=6s"]].concat();
        installation::install(&client, &values).await
    };
    storm("chart upgraded", &[], event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_the_engine_is_exchanged() -> Result<()> {
    let event = async |client: Client| {
        let engine =
            async |engine| installation::install(&client, &[&VALUES[..], &[engine]].concat()).await;
        engine("engine=both").await?;
        engine("engine=policy").await?;
        engine("engine=both").await?;
        installation::await_warning().await?;
        engine("engine=webhook").await
    };
    storm("webhook, policy, webhook", &[], event, none_goes_without).await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_a_provided_certificate_is_exchanged() -> Result<()> {
    const PROVIDED: &str = "e2e-tls";
    let client = Client::try_default().await?;
    // A CA bundle that the webhook published would conflict with the one of the chart.
    installation::uninstall().await?;
    ensure(NAME, "").await?;
    let (old, new) = (Pair::new(|_| {})?, Pair::new(|_| {})?);
    old.write(&client, PROVIDED).await?;
    let values = provided_certificate::values(PROVIDED, &[&old]);
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    // Trust both CAs, serve the new certificate, trust the new CA alone.
    let trust = async |client: &Client, cas: &[&Pair]| {
        let values = provided_certificate::values(PROVIDED, cas);
        let values = VALUES.into_iter().chain(values.iter().map(String::as_str));
        installation::install(client, &values.collect::<Vec<_>>()).await
    };
    let event = async |client: Client| {
        trust(&client, &[&old, &new]).await?;
        provided_certificate::serve(&client, PROVIDED, &new).await?;
        trust(&client, &[&new]).await
    };
    storm("a provided CA exchanged", &values, event, none_goes_without).await
}

/// The test plays cert-manager: it writes the Secret, and the bundle that the CA injector writes.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_cert_manager_renews() -> Result<()> {
    const MADE: &str = "apisix-prestop-cert-manager-tls";
    let client = Client::try_default().await?;
    if run("kubectl", &["get", "certificates.cert-manager.io", "--all-namespaces"]).await.is_err() {
        println!("storm: cert-manager renews: left out, since its resources are not known here");
        return Ok(());
    }
    // A CA bundle that the webhook published would conflict with the one of the chart.
    installation::uninstall().await?;
    ensure(NAME, "").await?;
    let (old, new) = (Pair::new(|_| {})?, Pair::new(|_| {})?);
    old.write(&client, MADE).await?;
    let values = [&VALUES[..], &["tls.mode=certManager"]].concat();
    installation::install_silent(&client, &values).await?;
    let inject = async |client: &Client, cas: &[&Pair]| {
        let bundle = ByteString(provided_certificate::bundle(cas).into_bytes());
        let patch = json!([
            {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle},
        ]);
        let patch = Patch::<()>::Json(serde_json::from_value(patch)?);
        let configurations = Api::<MutatingWebhookConfiguration>::all(client.clone());
        configurations.patch(NAME, &PatchParams::default(), &patch).await?;
        anyhow::Ok(())
    };
    inject(&client, &[&old]).await?;
    installation::await_answer().await?;
    let event = async |client: Client| {
        inject(&client, &[&old, &new]).await?;
        provided_certificate::serve(&client, MADE, &new).await?;
        inject(&client, &[&new]).await
    };
    storm("cert-manager renews", &["tls.mode=certManager"], event, none_goes_without).await
}

/// Lifetimes so short that several serving certificates and a CA expire during the test.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_while_self_managed_certificates_live_and_end() -> Result<()> {
    let values = ["caLifetime=45s", "certificateLifetime=12s", "caPropagation=3s"]
        .map(|value| format!("tls.selfManaged.{value}"));
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let seen = Mutex::new([BTreeSet::new(), BTreeSet::new()]);
    let event = async |client: Client| {
        let secrets = Api::<Secret>::namespaced(client, NAME);
        let config = watcher::Config::default().fields(&format!("metadata.name={SECRET}"));
        let mut changes = watcher(secrets, config).applied_objects().boxed();
        let watched = async {
            while let Some(secret) = changes.try_next().await? {
                let data = secret.data.unwrap_or_default();
                for (seen, key) in seen.lock().await.iter_mut().zip(["ca.crt", "tls.crt"]) {
                    seen.extend(data.get(key).map(|value| value.0.clone()));
                }
            }
            anyhow::Ok(())
        };
        // Longer than a CA lives.
        timeout(Duration::from_secs(55), watched).await.unwrap_or(Ok(()))
    };
    storm("self-managed certificates that live 45 s and 12 s", &values, event, |storm| {
        none_goes_without(storm);
        let [cas, certificates] = seen.try_lock().unwrap().clone().map(|seen| seen.len());
        println!("storm: in that time there were {cas} CAs and {certificates} certificates");
        assert!(cas >= 2 && certificates >= 5, "{cas} CAs and {certificates} certificates");
    })
    .await
}

/// SIGKILL leaves no time to tell the API server.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn few_pods_go_without_the_hook_when_a_replica_is_killed() -> Result<()> {
    if std::env::var_os("CLUSTER_INSIDE").is_none() {
        println!("storm: one replica killed: left out, since its process cannot be reached");
        return Ok(());
    }
    let event = async |_: Client| {
        run("kill", &["-KILL", &a_replica()?]).await?;
        Ok(())
    };
    storm("one replica killed", &[], event, |storm| {
        let without = storm.without_hook.len();
        assert!(without < RATE as usize, "{without} Pods, as in a whole second: {storm:#?}");
    })
    .await
}

/// The process of a replica. The node sees the processes of all.
fn a_replica() -> Result<String> {
    for process in fs::read_dir("/proc")? {
        let process = process?;
        // The process may have ended, and not every entry is a process.
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        if command.starts_with(b"/apisix-prestop\0serve\0") {
            return Ok(process.file_name().to_string_lossy().into_owned());
        }
    }
    bail!("no replica runs on this node")
}
