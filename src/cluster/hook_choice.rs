//! `--hook auto`: asks the cluster which hook it can run, at start and every few minutes.

use std::{future::Future, time::Duration};

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{ApiResource, ListParams},
    core::{NotUsed, Object},
};
use serde::Deserialize;

use super::{
    outdated_kubelet::{OutdatedKubelet, OutdatedKubeletMetrics},
    version::{SleepSupport, kubelet_knows_sleep},
};
use crate::{
    constants::{API_REQUEST_TIMEOUT, VERSION_POLL_INTERVAL, VERSION_RETRY_INTERVAL},
    injection::Hook,
};

/// Why the hook is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookChoiceError {
    /// The API server does not tell its version.
    #[error("cannot read the API server's version: {0}")]
    Version(#[source] kube::Error),
    /// The API server does not list the nodes.
    #[error("cannot list the nodes to see their kubelets' versions: {0}")]
    Nodes(#[source] kube::Error),
    /// The API server does not answer in time.
    #[error("no answer from the API server within {} s", API_REQUEST_TIMEOUT.as_secs())]
    Timeout,
}

/// The hook that every node of the cluster can run.
///
/// # Errors
/// When the API server does not answer, or forbids it.
pub(crate) async fn choose_hook(
    client: &Client,
    metrics: &OutdatedKubeletMetrics,
) -> Result<Hook, HookChoiceError> {
    in_time(async {
        let version = client.apiserver_version().await.map_err(HookChoiceError::Version)?;
        let (hook, outdated) = match SleepSupport::of(&version) {
            SleepSupport::Everywhere => (Hook::Sleep, None),
            SleepSupport::DependsOnKubelets => choose_by_kubelets(client).await?,
            SleepSupport::Unknown => (Hook::Exec, None),
        };
        metrics.show(outdated);
        Ok(hook)
    })
    .await
}

/// Lists the nodes in pages, since there may be thousands, up to the first outdated one. Nodes
/// without a kubelet do not count: their versions say nothing. No node means none to trust.
async fn choose_by_kubelets(
    client: &Client,
) -> Result<(Hook, Option<OutdatedKubelet>), HookChoiceError> {
    let nodes = Api::<NarrowNode>::all_with(client.clone(), &ApiResource::erase::<Node>(&()));
    let mut page = ListParams::default().limit(250);
    let mut hook = Hook::Exec;
    loop {
        let list = nodes.list(&page).await.map_err(HookChoiceError::Nodes)?;
        for node in list.items.into_iter().filter(|node| !is_virtual(node)) {
            // A node that has not reported yet has no version, and is not trusted.
            let kubelet_version = node.status.unwrap_or_default().node_info.kubelet_version;
            if !kubelet_knows_sleep(&kubelet_version) {
                let node = node.metadata.name.unwrap_or_default();
                return Ok((Hook::Exec, Some(OutdatedKubelet { node, kubelet_version })));
            }
            hook = Hook::Sleep;
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok((hook, None)),
        }
    }
}

/// Whether a program of another kind plays the node, as the Virtual Kubelet project labels it.
fn is_virtual(node: &NarrowNode) -> bool {
    let labels = node.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("type")).is_some_and(|value| value == "virtual-kubelet")
}

/// A Node without the rest of its large status.
type NarrowNode = Object<NotUsed, NodeStatus>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeStatus {
    node_info: NodeInfo,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeInfo {
    kubelet_version: String,
}

async fn in_time(
    choice: impl Future<Output = Result<Hook, HookChoiceError>>,
) -> Result<Hook, HookChoiceError> {
    tokio::time::timeout(API_REQUEST_TIMEOUT, choice).await.unwrap_or(Err(HookChoiceError::Timeout))
}

/// Asks every few minutes, and passes each answer to `on_answer`. A failure changes nothing: the last
/// answer is still the best guess. `known` says whether there was an answer before.
pub(crate) async fn follow_hook(
    client: Client,
    metrics: OutdatedKubeletMetrics,
    mut known: bool,
    mut on_answer: impl FnMut(Hook),
) {
    loop {
        tokio::time::sleep(interval(known)).await;
        match choose_hook(&client, &metrics).await {
            Ok(hook) => {
                known = true;
                on_answer(hook);
            }
            Err(error) => tracing::warn!(%error, "hook auto: keeping the hook as it is"),
        }
    }
}

const fn interval(known: bool) -> Duration {
    if known { VERSION_POLL_INTERVAL } else { VERSION_RETRY_INTERVAL }
}

#[cfg(test)]
mod tests {
    //! The API server in here is a mock: a real one of each of these versions, or one that
    //! fails on demand, cannot be had. The real one is asked in the cluster tests.
    use std::{
        convert::Infallible,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use hyper::{Request, Response};
    use kube::client::Body;
    use prometheus_client::{encoding::text::encode, registry::Registry};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// A client of an API server that answers each request with what `answer` makes of its
    /// path and query; `None` is a 500.
    fn client(answer: impl Fn(&str) -> Option<Value> + Clone + Send + 'static) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path_and_query().map(ToString::to_string);
            let answer = answer(&path.unwrap_or_default());
            let (status, body) = answer.map_or((500, json!({})), |body| (200, body));
            let body = Body::from(body.to_string().into_bytes());
            let response = Response::builder().status(status).body(body).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        Client::new(service, "default")
    }

    fn version(minor: &str) -> Value {
        json!({
            "major": "1", "minor": minor, "gitVersion": format!("v1.{minor}.0"), "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        })
    }

    fn metrics() -> OutdatedKubeletMetrics {
        OutdatedKubeletMetrics::register(&mut Registry::default())
    }

    fn nodes(kubelets: &[&str], next: &str) -> Value {
        let nodes = kubelets.iter().map(|kubelet| {
            let info = json!({"kubeletVersion": kubelet, "osImage": "", "kernelVersion": ""});
            // As the nodes of a provider that plays them label themselves.
            let kind = if kubelet.ends_with("-vk") { "virtual-kubelet" } else { "agent" };
            let metadata = json!({"name": format!("n-{kubelet}"), "labels": {"type": kind}});
            json!({"metadata": metadata, "spec": {}, "status": {"nodeInfo": info}})
        });
        json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {"continue": next},
            "items": nodes.collect::<Vec<_>>()})
    }

    #[rstest]
    #[case::new("37", &[], Hook::Sleep)]
    #[case::kubelets_know_it("31", &["v1.30.1", "v1.31.0"], Hook::Sleep)]
    #[case::one_kubelet_does_not("31", &["v1.30.1", "v1.28.0"], Hook::Exec)]
    #[case::old("29", &["v1.30.1"], Hook::Exec)]
    #[case::one_kubelet_has_not_reported("31", &["v1.30.1", ""], Hook::Exec)]
    #[case::no_nodes("31", &[], Hook::Exec)]
    #[case::one_node_is_virtual("31", &["v1.19-vk", "v1.31.0"], Hook::Sleep)]
    #[case::all_nodes_are_virtual("31", &["v1.19-vk"], Hook::Exec)]
    #[tokio::test]
    async fn the_cluster_decides(
        #[case] minor: &'static str,
        #[case] kubelets: &'static [&'static str],
        #[case] hook: Hook,
    ) {
        let client = client(move |path| match path {
            "/version" => Some(version(minor)),
            _ => Some(nodes(kubelets, "")),
        });
        assert_eq!(choose_hook(&client, &metrics()).await.unwrap(), hook);
    }

    #[tokio::test]
    async fn a_metric_names_the_node_that_is_in_the_way_until_it_is_not() {
        let is_upgraded = Arc::new(AtomicUsize::new(0));
        let upgraded = is_upgraded.clone();
        let client = client(move |path| match (path, upgraded.load(Ordering::SeqCst)) {
            ("/version", _) => Some(version("32")),
            (_, 0) => Some(nodes(&["v1.32.0", "v1.29.1"], "")),
            _ => Some(nodes(&["v1.32.0", "v1.32.1"], "")),
        });
        let mut registry = Registry::default();
        let metrics = OutdatedKubeletMetrics::register(&mut registry);
        let page = || {
            let mut page = String::new();
            encode(&mut page, &registry).unwrap();
            page
        };
        choose_hook(&client, &metrics).await.unwrap();
        let series = r#"outdated_kubelet{node="n-v1.29.1",kubelet_version="v1.29.1"} 1"#;
        assert!(page().contains(series), "{}", page());
        is_upgraded.store(1, Ordering::SeqCst);
        choose_hook(&client, &metrics).await.unwrap();
        assert!(!page().contains("v1.29.1"), "{}", page());
    }

    #[tokio::test]
    async fn the_nodes_on_every_page_count() {
        let client = client(|path| match path {
            "/version" => Some(version("32")),
            path if path.contains("continue=2") => Some(nodes(&["v1.29.0"], "")),
            _ => Some(nodes(&["v1.32.0"], "2")),
        });
        let hook = choose_hook(&client, &metrics()).await.unwrap();
        assert_eq!(hook, Hook::Exec, "the second page has a 1.29");
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_and_not_a_choice() {
        let no_version = choose_hook(&client(|_| None), &metrics()).await;
        assert!(matches!(no_version, Err(HookChoiceError::Version(_))), "{no_version:?}");
        let no_nodes = client(|path| (path == "/version").then(|| version("32")));
        let no_nodes = choose_hook(&no_nodes, &metrics()).await;
        assert!(matches!(no_nodes, Err(HookChoiceError::Nodes(_))), "{no_nodes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_asks_again_soon_without_an_answer_and_rarely_with_one() {
        let asked = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let (counter, seen) = (asked.clone(), answers.clone());
        // A failure, an old cluster, a failure, an upgraded cluster.
        let client = client(move |_| match counter.fetch_add(1, Ordering::SeqCst) {
            0 | 2 => None,
            1 => Some(version("29")),
            _ => Some(version("36")),
        });
        let start = tokio::time::Instant::now();
        let following = follow_hook(client, metrics(), false, move |hook| {
            seen.lock().unwrap().push((start.elapsed().as_secs(), hook));
        });
        let _ = tokio::time::timeout(Duration::from_secs(1000), following).await;
        let (retry, poll) = (VERSION_RETRY_INTERVAL.as_secs(), VERSION_POLL_INTERVAL.as_secs());
        let expected = [
            (2 * retry, Hook::Exec),
            (2 * retry + 2 * poll, Hook::Sleep),
            (2 * retry + 3 * poll, Hook::Sleep),
        ];
        assert_eq!(*answers.lock().unwrap(), expected, "asked {asked:?} times");
    }
}
