//! ApisixUpstream (apisix.apache.org/v2).

use serde::Deserialize;

use super::super::string_map::StringMap;

/// What the rules read of an ApisixUpstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ApisixUpstreamSpec {
    /// Nodes that are no Pods of a Service.
    pub external_nodes: Option<Box<[ExternalNode]>>,
    /// Where APISIX itself looks for nodes.
    pub discovery: Option<Discovery>,
    /// Subsets of the Pods of the Service with the same name.
    pub subsets: Option<Box<[Subset]>>,
}

/// A node that is no Pod of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExternalNode {
    /// A DNS name, an address, or a Service.
    pub name: String,
    /// What the name is.
    #[serde(rename = "type")]
    pub type_: Option<ExternalNodeType>,
}

/// What the name of an external node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ExternalNodeType {
    /// A DNS name or an address.
    Domain,
    /// A Service of type ExternalName.
    Service,
    /// Something that the controller does not know.
    #[serde(other)]
    Unknown,
}

/// Where APISIX itself looks for nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Discovery {
    /// The kind of the registry.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it is called there.
    pub service_name: String,
}

impl Discovery {
    /// The namespace and name of the Service that it names, if it looks in a Kubernetes:
    /// `[id/]namespace/name:port`.
    pub(in crate::upstreams) fn service(&self) -> Option<(&str, &str)> {
        if self.type_ != "kubernetes" {
            return None;
        }
        let path = self.service_name.split_once(':').map_or(&*self.service_name, |(path, _)| path);
        let (rest, name) = path.rsplit_once('/')?;
        let namespace = rest.rsplit_once('/').map_or(rest, |(_, namespace)| namespace);
        Some((namespace, name))
            .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
    }
}

/// A subset of the Pods of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// The labels of its Pods.
    pub labels: Option<StringMap>,
}
