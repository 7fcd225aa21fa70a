//! What an audit of a large cluster costs: fills the cluster with Pods, Services and routes, and
//! audits it.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{run, run_with_input},
    namespace,
};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    networking::v1::Ingress,
};
use kube::{
    Api, Client, Resource,
    api::{ListParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use support::{
    eventually,
    proc::{cpu_seconds, peak_resident},
};

const NAMESPACES: usize = 20;
const PODS: usize = 10_000;
const SERVICES: usize = 2_000;
const ROUTES: usize = 2_000;
const NODE: &str = "bench-audit";
/// How long kwok may take.
const LIMIT: Duration = Duration::from_secs(900);
/// Requests to the API server at a time.
const AT_ONCE: usize = 32;

fn name(number: usize) -> String {
    format!("bench-audit-{}", number % NAMESPACES)
}

/// A Pod as large as one with a sidecar, on a node whose kubelet is kwok.
fn pod(number: usize) -> Value {
    let service = number % SERVICES;
    let container = |name: &str| {
        let environment = (0..30)
            .map(|it| json!({"name": format!("VARIABLE_{it}"), "value": "a value of some length"}));
        json!({
            "name": name, "image": "registry.example/shop/application:1.2.3",
            "env": environment.collect::<Vec<_>>(),
            "ports": [{"name": "http", "containerPort": 8080}],
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        })
    };
    json!({
        "metadata": {
            "name": format!("web-{service}-{number}"),
            "labels": {"app": format!("web-{service}")},
            // Of a kind that the cluster does not know: the garbage collector removes Pods of owners
            // that it could find, and does not.
            "ownerReferences": [{
                "apiVersion": "bench.example/v1", "kind": "Rollout", "name": format!("web-{service}"),
                "uid": format!("00000000-0000-0000-0000-{service:012}"), "controller": true,
            }],
        },
        "spec": {"nodeName": NODE, "containers": [container("app"), container("proxy")]},
    })
}

fn service(number: usize) -> Value {
    json!({
        "metadata": {"name": format!("web-{number}")},
        "spec": {"selector": {"app": format!("web-{number}")}, "clusterIP": "None", "ports": [{"port": 80}]},
    })
}

fn ingress(number: usize) -> Value {
    let backend = json!({"service": {"name": format!("web-{number}"), "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    json!({
        "metadata": {"name": format!("web-{number}")},
        "spec": {"ingressClassName": "apisix", "rules": [{"http": {"paths": [path]}}]},
    })
}

async fn create<K>(client: &Client, count: usize, object: impl Fn(usize) -> Value) -> Result<()>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Serialize,
{
    let requests = stream::iter(0..count).map(|number| {
        // What belongs together is in one namespace.
        let api = Api::<K>::namespaced(client.clone(), &name(number % SERVICES));
        let object = serde_json::from_value(object(number));
        async move { anyhow::Ok(api.create(&PostParams::default(), &object?).await.map(drop)?) }
    });
    requests.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    println!("{count} {}", K::plural(&()));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let client = Client::try_default().await?;
    for number in 0..NAMESPACES {
        namespace::create(&name(number), "team: bench").await?;
    }
    run_with_input("kubectl", &["apply", "-f", "-"], &node().to_string()).await?;
    let mut kwok = start_kwok()?;
    let filled = async {
        fill(&client).await?;
        await_running(&client).await
    };
    let measured = match filled.await {
        Ok(()) => measure(),
        Err(error) => Err(error),
    };
    run("kubectl", &["delete", "node", NODE, "--wait=false"]).await?;
    for number in 0..NAMESPACES {
        run("kubectl", &["delete", "namespace", &name(number), "--wait=false"]).await?;
    }
    kwok.kill()?;
    kwok.wait()?;
    measured
}

/// kwok, which plays the kubelet of a node, with the stages beside its program.
fn start_kwok() -> Result<Child> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    let folder = folders
        .find(|folder| folder.join("kwok").is_file())
        .context("kwok is not in the PATH: see tests/cluster/versions for its version")?;
    let mut kwok = Command::new(folder.join("kwok"));
    kwok.args(["--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"])
        .args(["--node-lease-duration-seconds=40", "--enable-crds="])
        .arg("--config")
        .arg(folder.join("kwok-stages.yaml"))
        .arg("--kubeconfig")
        .arg(std::env::var_os("KUBECONFIG").context("KUBECONFIG is not set")?)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(kwok.spawn()?)
}

fn node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
    })
}

/// Waits until kwok runs all Pods.
async fn await_running(client: &Client) -> Result<()> {
    let begin = Instant::now();
    let pods = Api::<Pod>::all(client.clone());
    let pending =
        ListParams::default().fields(&format!("spec.nodeName={NODE},status.phase!=Running"));
    let pending = pending.limit(1);
    eventually("all Pods to run", LIMIT, async || {
        let left = pods.list_metadata(&pending).await?.items.len();
        ensure!(left == 0, "some are pending after {:.0?}", begin.elapsed());
        Ok(())
    })
    .await?;
    println!("all of them run after {:.0?}", begin.elapsed());
    Ok(())
}

async fn fill(client: &Client) -> Result<()> {
    create::<Service>(client, SERVICES, service).await?;
    create::<Ingress>(client, ROUTES, ingress).await?;
    create::<Pod>(client, PODS, pod).await
}

fn measure() -> Result<()> {
    let program = std::env::var("BENCH_PROGRAM").context("BENCH_PROGRAM names the program")?;
    let begin = Instant::now();
    let mut child =
        Command::new(program).args(["audit", "-A", "-o", "json"]).stdout(Stdio::piped()).spawn()?;
    let mut stdout = child.stdout.take().context("no standard output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).map(|_| text)
    });
    let (mut cpu, mut peak) = (0.0, 0);
    // What the last look sees is what the process has used, but for some milliseconds.
    while child.try_wait()?.is_none() {
        if let (Ok(time), Ok(memory)) = (cpu_seconds(child.id()), peak_resident(child.id())) {
            (cpu, peak) = (time, memory);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let elapsed = begin.elapsed();
    let text = reader.join().map_err(|_| anyhow::anyhow!("the reader has panicked"))??;
    let report: Value = serde_json::from_str(&text).context(text)?;
    let summary = &report["summary"];
    println!(
        "{PODS} Pods, {SERVICES} Services, {ROUTES} routes: {:.2} s of CPU, {:.1} MiB, {:.1} s in all",
        cpu,
        peak as f64 / 1024.0,
        elapsed.as_secs_f64()
    );
    ensure!(
        summary["pods"] == PODS && report["unread"] == json!([]),
        "it has to see all: {summary}, {}",
        report["unread"]
    );
    Ok(())
}
