//! The nodes and their kubelets.

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use serde::Deserialize;

use super::{super::version::kubelet_knows_sleep, api_reader::ApiReader};
use crate::preflight::{Listed, NamedMetadata, NodeFacts};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListedNode {
    metadata: NamedMetadata,
    spec: ListedNodeSpec,
    status: ListedNodeStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListedNodeSpec {
    #[serde(rename = "providerID")]
    provider_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListedNodeStatus {
    node_info: KubeletInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct KubeletInfo {
    kubelet_version: String,
}

/// The nodes with a kubelet: a program that plays one says nothing by its version.
pub(super) async fn nodes(reader: &ApiReader) -> Listed<NodeFacts> {
    let Listed { items, missing } =
        reader.list::<Node, ListedNode>(None, ListParams::default()).await;
    let is_virtual = |node: &ListedNode| {
        node.metadata.labels.get("type").is_some_and(|value| value == "virtual-kubelet")
    };
    let nodes = items.into_iter().filter(|node| !is_virtual(node)).map(|node| {
        let kubelet_version = node.status.node_info.kubelet_version;
        NodeFacts {
            name: node.metadata.name,
            knows_sleep: kubelet_knows_sleep(&kubelet_version),
            kubelet_version,
            provider_id: node.spec.provider_id,
        }
    });
    Listed { items: nodes.collect(), missing }
}
