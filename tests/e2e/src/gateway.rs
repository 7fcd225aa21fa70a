//! What routes requests to the workloads of a test: the ingress controller of APISIX, and a stand-in
//! for APISIX that it drives.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use serde::{Deserialize, de::DeserializeOwned};
use support::eventually;
use tokio::sync::OnceCell;

use crate::{
    command::{apply, kubectl, run},
    namespace,
};

/// The namespace of the gateway and its controller.
pub const NAMESPACE: &str = "apisix-prestop-gateway";
/// The label of namespaces whose routes the controller reads, as YAML. A namespace is created with
/// it: the controller takes no notice of some later changes.
pub const ROUTED: &str = "gateway: stand-in";
/// How long the gateway takes to apply a change, in `manifests/gateway.yaml`.
pub const PROPAGATION_DELAY: Duration = Duration::from_secs(2);

/// The values of the chart with which the webhook measures how late the gateway is.
pub const MEASURED: [&str; 2] =
    ["measure.enabled=true", "measure.gateway.namespace=apisix-prestop-gateway"];

const PROXY: u16 = 9080;
const ADMIN: u16 = 9180;
const CONTROL: u16 = 9090;
const ROUTE_LIMIT: Duration = Duration::from_secs(30);

/// Installs the gateway and its controller, once in a run of tests.
///
/// # Errors
/// With the output of kubectl.
pub async fn install(client: &Client, fixtures_image: &str) -> Result<()> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED.get_or_try_init(|| install_both(client, fixtures_image)).await?;
    Ok(())
}

/// Installs the CustomResourceDefinitions of APISIX and of the Gateway API. A cluster that exists has
/// them already.
///
/// # Errors
/// With the output of kubectl.
pub async fn install_crds() -> Result<()> {
    for folder in ["APISIX_CRDS", "GATEWAY_API_CRDS"].map(std::env::var_os).into_iter().flatten() {
        let folder = Path::new(&folder).display().to_string();
        // Some are too large for the annotation of a client-side apply.
        run("kubectl", &["apply", "--server-side", "-f", &folder]).await?;
    }
    Ok(())
}

async fn install_both(client: &Client, fixtures_image: &str) -> Result<()> {
    let image = std::env::var("E2E_CONTROLLER_IMAGE").context("E2E_CONTROLLER_IMAGE is not set")?;
    install_crds().await?;
    namespace::create(NAMESPACE, ROUTED).await?;
    let gateway = include_str!("../manifests/gateway.yaml").replace("$IMAGE", fixtures_image);
    apply(NAMESPACE, &gateway).await?;
    wait("Ready", "pod/gateway").await?;
    let admin = SocketAddr::new(address(client).await?, ADMIN);
    let controller = include_str!("../manifests/controller.yaml")
        .replace("$IMAGE", &image)
        .replace("$ADDRESS", &admin.to_string());
    apply(NAMESPACE, &controller).await?;
    // It forgets a Gateway whose class it does not know. The class of an earlier run is accepted
    // already.
    let class = "gatewayclass/apisix-prestop-gateway";
    kubectl(NAMESPACE, &["delete", class, "--ignore-not-found"]).await?;
    apply(NAMESPACE, include_str!("../manifests/gateway-class.yaml")).await?;
    wait("Accepted", class).await?;
    apply(NAMESPACE, include_str!("../manifests/gateway-listener.yaml")).await?;
    wait("Ready", "gateway/gateway").await
}

/// Sets how long the gateway takes to apply a change, from now on.
///
/// # Errors
/// When it does not take it.
pub async fn set_propagation_delay(client: &Client, delay: Duration) -> Result<()> {
    let path = format!(
        "/api/v1/namespaces/{NAMESPACE}/services/gateway:{ADMIN}/proxy/fixture/propagation-delay"
    );
    let delay = format!("{}ms", delay.as_millis());
    let request = axum::http::Request::put(path).body(delay.into_bytes())?;
    client.request_text(request).await?;
    Ok(())
}

async fn wait(condition: &str, object: &str) -> Result<()> {
    let condition = format!("--for=condition={condition}");
    kubectl(NAMESPACE, &["wait", &condition, object, "--timeout=60s"]).await
}

async fn address(client: &Client) -> Result<IpAddr> {
    let gateway = Api::<Service>::namespaced(client.clone(), NAMESPACE).get("gateway").await?;
    let address = gateway.spec.and_then(|spec| spec.cluster_ip).context("no cluster IP")?;
    Ok(address.parse()?)
}

/// Where the gateway takes requests.
///
/// # Errors
/// When it has no address.
pub async fn proxy(client: &Client) -> Result<SocketAddr> {
    Ok(SocketAddr::new(address(client).await?, PROXY))
}

/// Waits until the gateway routes to exactly these nodes of a Service with the port 80, and tries
/// another node or not.
///
/// # Errors
/// When it does not within 30 s.
pub async fn await_nodes(
    client: &Client,
    namespace: &str,
    service: &str,
    expected: &BTreeSet<SocketAddr>,
    retry: bool,
) -> Result<()> {
    let name = format!("{namespace}_{service}_80");
    eventually(&format!("a route to {name}"), ROUTE_LIMIT, async || {
        let upstreams: Vec<Upstream> = in_force(client, "upstreams").await?;
        let upstream = upstreams.into_iter().find(|upstream| upstream.name == name);
        let upstream = upstream.context("there is no such upstream")?;
        let routes: Vec<Route> = in_force(client, "routes").await?;
        let routed = routes.iter().any(|route| route.upstream_id == upstream.id);
        ensure!(routed, "no route uses the upstream");
        let nodes: BTreeSet<_> = upstream.nodes.iter().filter_map(Node::address).collect();
        ensure!(nodes == *expected, "its nodes are {nodes:?}, not {expected:?}");
        ensure!(retry != (upstream.retries == Some(0)), "its retries are {:?}", upstream.retries);
        Ok(())
    })
    .await?;
    Ok(())
}

/// The names of all upstreams, such as `NAMESPACE_SERVICE_PORT`.
///
/// # Errors
/// When the gateway does not answer.
pub async fn upstreams(client: &Client) -> Result<Vec<String>> {
    let upstreams: Vec<Upstream> = in_force(client, "upstreams").await?;
    Ok(upstreams.into_iter().map(|upstream| upstream.name).collect())
}

/// A list of Lua, which writes an empty one as `{}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entries<T> {
    Some(Vec<Entry<T>>),
    None {},
}

#[derive(Deserialize)]
struct Entry<T> {
    value: T,
}

#[derive(Deserialize)]
struct Upstream {
    id: String,
    name: String,
    nodes: Vec<Node>,
    retries: Option<u32>,
}

#[derive(Deserialize)]
struct Route {
    upstream_id: String,
}

#[derive(Deserialize)]
struct Node {
    /// An address, or a DNS name.
    host: String,
    port: u16,
}

impl Node {
    fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse().ok()?, self.port))
    }
}

/// What the gateway's Control API lists.
async fn in_force<T: DeserializeOwned>(client: &Client, kind: &str) -> Result<Vec<T>> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/services/gateway:{CONTROL}/proxy/v1/{kind}");
    let request = axum::http::Request::get(path).body(Vec::new())?;
    let entries = match client.request(request).await? {
        Entries::Some(entries) => entries,
        Entries::None {} => Vec::new(),
    };
    Ok(entries.into_iter().map(|entry| entry.value).collect())
}
