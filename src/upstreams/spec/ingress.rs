//! Ingress and IngressClass (networking.k8s.io/v1).

use serde::Deserialize;

/// What the rules read of an IngressClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressClassSpec {
    /// The controller of its objects.
    pub controller: String,
}

/// What the rules read of an Ingress. Its default backend is not programmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IngressSpec {
    /// Its class.
    pub ingress_class_name: Option<String>,
    rules: Option<Box<[Rule]>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Rule {
    http: Option<HttpRule>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct HttpRule {
    paths: Option<Box<[Path]>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Path {
    backend: Option<Backend>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Backend {
    service: Option<ServiceBackend>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ServiceBackend {
    name: String,
}

impl IngressSpec {
    /// The Services of its paths.
    pub(in crate::upstreams) fn services(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().flatten().filter_map(|rule| rule.http.as_ref());
        let paths = rules.flat_map(|rule| rule.paths.iter().flatten());
        let backends = paths.filter_map(|path| path.backend.as_ref()?.service.as_ref());
        backends.map(|service| service.name.as_str())
    }
}
