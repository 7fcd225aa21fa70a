//! Attacks on the webhook with half of the chart's memory limit, on a real cluster: by a tenant who
//! may only create Pods, and by a Pod that reaches the webhook's ports. While each of them runs, every
//! Pod of another tenant gets the hook, and no replica ends.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use apisix_prestop::server::raise_descriptor_limit;
use apisix_prestop_e2e::{
    command::run,
    installation::NAME,
    namespace::{self, OPTED_IN, with_values},
    replica, storm,
};
use axum::http::{Request, header::CONTENT_TYPE};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration as Configuration, core::v1::Pod,
};
use kube::{Api, Client, api::ListParams};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use support::{
    attack::{Attack, Attacker},
    tls,
};

/// How long each attack takes.
const TIME: Duration = Duration::from_secs(6);
/// The largest object that the API server takes is 3 MiB.
const TENANT_BYTES: usize = 2_900_000;

/// A replica under attack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    name: String,
    uid: String,
    address: IpAddr,
    restarts: i32,
}

async fn targets(client: &Client) -> Result<Vec<Target>> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAME);
    let mut targets = Vec::new();
    for pod in pods.list(&ListParams::default()).await?.items {
        let status = pod.status.context("a Pod without a status")?;
        targets.push(Target {
            name: pod.metadata.name.unwrap_or_default(),
            uid: pod.metadata.uid.unwrap_or_default(),
            address: status.pod_ip.context("a Pod without an address")?.parse()?,
            restarts: status.container_statuses.iter().flatten().map(|it| it.restart_count).sum(),
        });
    }
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(targets)
}

/// The most memory that the containers of a Pod have taken, in KiB, as their limit counts it.
fn peak(uid: &str) -> Option<u64> {
    fn find(folder: &Path, uid: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.to_string_lossy().ends_with(&format!("pod{uid}")) {
                    found.push(path.clone());
                }
                find(&path, uid, found);
            }
        }
    }
    let mut found = Vec::new();
    find(Path::new("/sys/fs/cgroup"), uid, &mut found);
    let files = ["memory.max_usage_in_bytes", "memory.peak"];
    let peaks = found.iter().flat_map(|folder| files.map(|file| folder.join(file)));
    let peaks = peaks.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    peaks.max().map(|bytes| bytes / 1024)
}

/// The replicas, as another Pod of the cluster reaches them.
#[derive(Clone, Debug)]
struct Listeners {
    targets: Vec<Target>,
    attackers: Vec<Attacker>,
}

impl Listeners {
    async fn find(client: &Client) -> Result<Self> {
        let configuration = Api::<Configuration>::all(client.clone()).get(NAME).await?;
        let webhook = configuration.webhooks.into_iter().flatten().next();
        let bundle = webhook.and_then(|webhook| webhook.client_config.ca_bundle);
        let bundle = bundle.context("no caBundle")?;
        let cas = CertificateDer::pem_slice_iter(&bundle.0).collect::<Result<Vec<_>, _>>()?;
        let config = tls::trusting(cas)?.with_no_client_auth();
        let targets = targets(client).await?;
        let attackers = targets.iter().map(|target| Attacker {
            webhook: (target.address, 10250).into(),
            admin: (target.address, 8080).into(),
            name: format!("{NAME}.{NAME}.svc"),
            config: config.clone(),
            source: None,
        });
        Ok(Self { attackers: attackers.collect(), targets })
    }

    /// Attacks each replica.
    async fn attack(&self, attack: Attack) {
        join_all(self.attackers.iter().map(|attacker| attacker.run(attack, TIME))).await;
    }
}

/// Pods as large as the API server takes them, which it passes to the webhook before it validates.
fn tenant_pods() -> [Value; 3] {
    let annotations: serde_json::Map<String, Value> =
        (0..20).map(|i| (format!("apisix-prestop/unknown-{i}"), "".into())).collect();
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "u", "controller": true,
        "name": "x".repeat(TENANT_BYTES),
    });
    let container = json!({"name": "app", "image": "none"});
    let spec = json!({"containers": [container]});
    let words = vec![""; TENANT_BYTES / 3];
    let hook = json!({"preStop": {"exec": {"command": words}}});
    let pod = |metadata: Value, spec: &Value| {
        let mut pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        pod["metadata"]["generateName"] = "attack-".into();
        pod
    };
    let record = json!({"apisix-prestop/injected": "a=1,".repeat(TENANT_BYTES / 4)});
    let with_hook = json!({"containers": [{"name": "app", "image": "none", "lifecycle": hook}]});
    [
        pod(json!({"ownerReferences": [owner], "annotations": annotations}), &spec),
        pod(json!({"annotations": record}), &spec),
        pod(json!({}), &with_hook),
    ]
}

/// The API server rejects the Pods, after the webhooks have seen them.
async fn create_twelve_times(client: &Client, namespace: &str, pod: &Value) {
    let creates = (0..12).map(async |_| {
        let path = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        client.send(request.body(pod.to_string().into_bytes().into())?).await?;
        anyhow::Ok(())
    });
    join_all(creates).await;
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_attack_ends_a_replica_or_costs_another_tenant_a_hook() -> Result<()> {
    if !replica::are_possible() {
        println!("skipped: the Pods of CLUSTER=existing cannot be reached from here");
        return Ok(());
    }
    // Half of the chart's limit.
    let values = ["resources.limits.memory=64Mi"];
    with_values("attacks", OPTED_IN, &values, async |client, victim| {
        raise_descriptor_limit();
        let tenant = format!("{victim}-tenant");
        namespace::create(&tenant, OPTED_IN).await?;
        let listeners = Listeners::find(&client).await?;
        ensure!(listeners.targets.len() == 2, "the chart has two replicas: {listeners:?}");
        let result = attack_all(&client, victim, &tenant, &listeners).await;
        run("kubectl", &["delete", "namespace", &tenant, "--wait=false"]).await?;
        result
    })
    .await
}

async fn attack_all(
    client: &Client,
    victim: &str,
    tenant: &str,
    listeners: &Listeners,
) -> Result<()> {
    let during = async |name: &str, attack: BoxFuture<'_, ()>| -> Result<()> {
        let attack = attack.map(Ok);
        let storm = storm::during(client, victim, name, Duration::ZERO, attack).await?;
        let peaks: Vec<_> = listeners.targets.iter().map(|it| peak(&it.uid)).collect();
        println!("{storm}, peak of memory so far {peaks:?} KiB");
        assert_eq!(storm.refused, [""; 0], "no Pod is refused: {storm:#?}");
        assert_eq!(storm.without_hook, [Duration::ZERO; 0], "all have the hook: {storm:#?}");
        let now = targets(client).await?;
        assert_eq!(now, listeners.targets, "no replica ends during {name}");
        Ok(())
    };
    let create_pods = async || {
        for pod in &tenant_pods() {
            create_twelve_times(client, tenant, pod).await;
        }
    };
    during("a tenant's Pods of 2.9 MB", create_pods().boxed()).await?;
    for attack in Attack::ALL {
        during(attack.name(), listeners.attack(attack).boxed()).await?;
    }
    let everything = async {
        let attacks = join_all(Attack::ALL.map(|attack| listeners.attack(attack)));
        tokio::join!(create_pods(), attacks);
    };
    during("all of them at once", everything.boxed()).await
}
