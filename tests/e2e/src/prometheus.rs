//! A Prometheus on this machine that scrapes the replicas of the webhook and the API server, and
//! evaluates the alerts of the chart.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use support::eventually;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    command::{repository, run},
    installation::NAME,
};

const START_LIMIT: Duration = Duration::from_secs(30);

/// Whether the programs of Prometheus are on the PATH.
pub async fn is_installed() -> bool {
    run("prometheus", &["--version"]).await.is_ok() && run("promtool", &["--version"]).await.is_ok()
}

/// A running Prometheus. Dropping this kills it.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    _processes: [Child; 2],
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one for the replicas that there are now.
    ///
    /// # Errors
    /// When it does not start, as with a rule that cannot be parsed.
    pub async fn start(client: &Client) -> Result<Self> {
        let (proxy, api_server) = start_proxy().await?;
        let address = free_address()?;
        let pods =
            Api::<Pod>::namespaced(client.clone(), NAME).list(&ListParams::default()).await?;
        let names: Vec<_> = pods.iter().map(ResourceExt::name_any).collect();
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("prometheus.yml");
        // JSON is YAML too.
        tokio::fs::write(&file, configuration(&api_server, &address, &names).to_string()).await?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("prometheus cannot be started")?;
        let prometheus = Self { address, _processes: [process, proxy], _folder: folder };
        let answers = async || prometheus.query("vector(1)").await;
        eventually("Prometheus to answer", START_LIMIT, answers).await?;
        Ok(prometheus)
    }

    /// The series that a query returns now.
    ///
    /// # Errors
    /// When the query cannot be parsed or evaluated.
    pub async fn query(&self, query: &str) -> Result<Vec<String>> {
        let url = format!("http://{}", self.address);
        let answer = run("promtool", &["query", "instant", &url, query]).await?.stdout;
        Ok(answer.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}

/// Scrapes often, so that a test does not wait. The replicas are reached through the API server.
fn configuration(api_server: &str, itself: &str, pods: &[String]) -> Value {
    let replicas: Vec<_> = pods
        .iter()
        .map(|pod| {
            let path = format!("/api/v1/namespaces/{NAME}/pods/{pod}:8080/proxy/metrics");
            json!({"targets": [api_server], "labels": {"pod": pod, "__metrics_path__": path}})
        })
        .collect();
    json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [repository().join("charts/apisix-prestop/files/alerts.yaml")],
        "scrape_configs": [
            // As the ServiceMonitor of the chart.
            {"job_name": NAME, "honor_labels": true, "static_configs": replicas},
            {"job_name": "apiserver", "static_configs": [{"targets": [api_server]}]},
            {"job_name": "prometheus", "static_configs": [{"targets": [itself]}]},
        ],
    })
}

/// The process, and where it takes requests to the API server.
async fn start_proxy() -> Result<(Child, String)> {
    let mut proxy = Command::new("kubectl")
        .args(["proxy", "--port=0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("kubectl cannot be started")?;
    let stdout = proxy.stdout.take().context("no standard output")?;
    let line = BufReader::new(stdout).lines().next_line().await?.context("kubectl proxy ended")?;
    let address = line.strip_prefix("Starting to serve on ").context(line.clone())?;
    Ok((proxy, address.to_owned()))
}

/// Prometheus does not tell which port it has chosen.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string())
}
