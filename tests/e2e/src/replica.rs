//! Replicas of the webhook as processes on the node of the test cluster, with the rights of the
//! chart's ServiceAccount and behind the chart's Service. They start and stop quickly, and can have
//! another clock.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use support::{eventually, program_path, tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    command::{repository, run, run_with_input},
    installation::NAME,
};

/// Where a Pod finds the token of its ServiceAccount. The test cluster has a `/run` of its own.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Whether this runs in the namespaces of the test cluster, where such replicas can be.
pub fn are_possible() -> bool {
    std::env::var_os("CLUSTER_INSIDE").is_some()
}

/// Prepares their rights, and the endpoints of the first `count` of them.
///
/// # Errors
/// With what kubectl wrote.
pub async fn prepare(count: u16) -> Result<()> {
    ensure!(are_possible(), "only in the test cluster");
    let kubectl = async |args: &[&str]| run("kubectl", args).await.map(|output| output.stdout);
    let token = kubectl(&["-n", NAME, "create", "token", NAME, "--duration=1h"]).await?;
    let ca = ["-n", NAME, "get", "cm", "kube-root-ca.crt", "-o", r"jsonpath={.data.ca\.crt}"];
    let ca = kubectl(&ca).await?;
    tokio::fs::create_dir_all(ACCOUNT).await?;
    for (file, content) in [("token", token.trim()), ("ca.crt", &ca), ("namespace", NAME)] {
        tokio::fs::write(Path::new(ACCOUNT).join(file), content).await?;
    }
    let node = r#"jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}"#;
    let node = kubectl(&["get", "nodes", "-o", node]).await?;
    let slices: Vec<_> = (0..count)
        .map(|number| {
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": format!("replica-{number}"), "namespace": NAME,
                    "labels": {"kubernetes.io/service-name": NAME},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [node]}],
                "ports": [{"name": "https", "port": port(number)}],
            })
        })
        .collect();
    let slices = json!({"apiVersion": "v1", "kind": "List", "items": slices}).to_string();
    run_with_input("kubectl", &["apply", "-f", "-"], &slices).await?;
    Ok(())
}

/// Deletes the endpoints.
///
/// # Errors
/// With what kubectl wrote.
pub async fn clean_up() -> Result<()> {
    let slices =
        format!("kubernetes.io/service-name={NAME},!endpointslice.kubernetes.io/managed-by");
    run("kubectl", &["-n", NAME, "delete", "endpointslices", "-l", &slices]).await?;
    Ok(())
}

/// A process of the webhook. Dropping this kills it.
#[derive(Debug)]
pub struct Replica {
    number: u16,
    process: Child,
    log: PathBuf,
}

impl Replica {
    /// Starts one.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(number: u16, args: &[String], environment: &[(&str, String)]) -> Result<Self> {
        let log = repository().join(format!("target/e2e-replica-{number}.log"));
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let process = Command::new(program_path())
            .arg("serve")
            .arg(format!("--listen=[::]:{}", port(number)))
            .arg(format!("--admin-listen=127.0.0.1:{}", admin_port(number)))
            .arg("--drain-delay=0s")
            .args(args)
            .env_clear()
            .env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
            .env("KUBERNETES_SERVICE_PORT", "443")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { number, process, log })
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// With its log, when it has ended, or is not ready within a minute.
    pub async fn ready(&mut self) -> Result<()> {
        let name = format!("replica {} to be ready", self.number);
        let ended = eventually(&name, READY_LIMIT, async || {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            let answer = self.readiness().await?;
            ensure!(answer.contains(" 200 "), "{answer}");
            Ok(None)
        });
        match ended.await {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                bail!("replica {} has ended: {status}\n{}", self.number, self.log()?)
            }
            Err(error) => bail!("{error}\n{}", self.log()?),
        }
    }

    /// What `/ready` answers, with its head.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn readiness(&self) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", admin_port(self.number))).await?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// What it wrote.
    ///
    /// # Errors
    /// When there is no log.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// The certificate that it serves, verified for the Service's name with the CAs in `bundle`.
    ///
    /// # Errors
    /// When it does not listen, or its certificate is not of these CAs.
    pub async fn verify(&self, bundle: &str) -> Result<CertificateDer<'static>> {
        let address = SocketAddr::from(([127, 0, 0, 1], port(self.number)));
        let verified = tls::verified(address, &format!("{NAME}.{NAME}.svc"), bundle).await;
        verified.with_context(|| format!("replica {}, with the CAs\n{bundle}", self.number))
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

fn port(number: u16) -> u16 {
    9443 + number
}

fn admin_port(number: u16) -> u16 {
    9080 + number
}
