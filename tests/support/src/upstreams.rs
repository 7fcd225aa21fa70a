//! The cases in tests/upstreams.

use std::{collections::BTreeMap, fs};

use apisix_prestop::upstreams::{
    ClusterObject, IngressController, Kind, Limit, StringMap, TargetKind, UpstreamIndex,
    UpstreamReport, Version, VersionChoice,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::repository;

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpstreamCase {
    /// Its name.
    pub name: String,
    /// Why the outcome is right.
    pub why: String,
    objects: Vec<Value>,
    expect: BTreeMap<String, BTreeMap<String, TargetKind>>,
    #[serde(default)]
    limits: BTreeMap<String, Vec<Limit>>,
    #[serde(default)]
    route_limits: Vec<Limit>,
    #[serde(default)]
    pods: Vec<PodCase>,
    why_owned: Option<String>,
    #[serde(default)]
    controller: ControllerCase,
    /// Why the real controller is not asked.
    pub not_on_controller: Option<String>,
    /// Why the real controller programs nothing, although the route is one of APISIX.
    pub not_programmed: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PodCase {
    labels: StringMap,
    target: TargetKind,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ControllerCase {
    name: Option<String>,
    ingress_class: Option<String>,
}

/// All cases.
///
/// # Panics
/// When a file is malformed, or two cases have one name.
pub fn all() -> Vec<UpstreamCase> {
    let mut cases = Vec::<UpstreamCase>::new();
    let files = fs::read_dir(repository().join("tests/upstreams")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let is_cases = file.extension().is_some_and(|it| it == "yaml");
        if is_cases && !file.ends_with("base.yaml") {
            let text = fs::read_to_string(&file).unwrap();
            let read = serde_saphyr::from_str::<Vec<UpstreamCase>>(&text);
            cases.extend(read.unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        }
    }
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert!(twice.is_none(), "two cases have one name: {twice:?}");
    cases
}

/// The name of a version in the cases.
pub const fn version_name(version: Version) -> &'static str {
    match version {
        Version::V1_8 => "1.8",
        Version::V2 => "2",
    }
}

impl UpstreamCase {
    /// The controller whose rules apply.
    pub fn controller(&self, version: Version) -> IngressController {
        let default = IngressController::default();
        let ControllerCase { name, ingress_class } = self.controller.clone();
        IngressController {
            name: name.unwrap_or(default.name),
            ingress_class: ingress_class.unwrap_or(default.ingress_class),
            version: match version {
                Version::V1_8 => VersionChoice::V1_8,
                Version::V2 => VersionChoice::V2,
            },
        }
    }

    /// Whether the controller has its default flags.
    pub fn has_default_controller(&self) -> bool {
        self.controller.name.is_none() && self.controller.ingress_class.is_none()
    }

    /// The Services that are targets.
    pub fn expected(&self, version: Version) -> &BTreeMap<String, TargetKind> {
        let expect = self.expect.get(version_name(version)).or_else(|| self.expect.get("both"));
        expect.unwrap_or_else(|| panic!("{}: it expects nothing of {version:?}", self.name))
    }

    /// The objects of the cluster, as an API server accepts them.
    pub fn objects(&self, version: Version) -> Vec<Value> {
        let base = fs::read_to_string(repository().join("tests/upstreams/base.yaml")).unwrap();
        let base: Vec<Value> = serde_saphyr::from_str(&base).unwrap();
        let name = match version {
            Version::V1_8 => "apisix.apache.org/gateway-controller",
            Version::V2 => "apisix.apache.org/apisix-ingress-controller",
        };
        let mut objects = Vec::<Value>::new();
        for object in base.iter().chain(&self.objects) {
            let mut object = whole(object);
            if object["spec"]["controllerName"] == "$CONTROLLER" {
                object["spec"]["controllerName"] = name.into();
            }
            let id = |object: &Value| {
                let metadata = &object["metadata"];
                [object["kind"].clone(), metadata["namespace"].clone(), metadata["name"].clone()]
            };
            match objects.iter_mut().find(|it| id(it) == id(&object)) {
                Some(replaced) => *replaced = object,
                None => objects.push(object),
            }
        }
        objects
    }

    /// An index of the objects.
    pub fn index(&self, version: Version) -> UpstreamIndex {
        let mut index = UpstreamIndex::new(self.controller(version));
        for object in self.objects(version) {
            index_object(&mut index, &object);
        }
        index
    }

    /// Compares a report with what is expected.
    ///
    /// # Errors
    /// With a sentence about each difference.
    pub fn check(&self, index: &mut UpstreamIndex, version: Version) -> Result<(), String> {
        let report = index.report(Vec::new());
        let mut wrong = Vec::new();
        let mut expect = |what: &str, found: String, expected: String| {
            if found != expected {
                wrong.push(format!("{what}: expected {expected}, found {found}"));
            }
        };
        let targets: BTreeMap<_, _> = report
            .services
            .iter()
            .filter(|service| service.target != TargetKind::None)
            .map(|service| (format!("{}/{}", service.namespace, service.name), service))
            .collect();
        let found: BTreeMap<_, _> =
            targets.iter().map(|(name, service)| (name.clone(), service.target)).collect();
        let expected = self.expected(version);
        expect("targets", format!("{found:?}"), format!("{expected:?}"));
        for (name, service) in &targets {
            let expected = self.limits.get(name).cloned().unwrap_or_default();
            expect(
                &format!("limits of {name}"),
                format!("{:?}", service.limits),
                format!("{expected:?}"),
            );
        }
        let limits: Vec<_> = report.routes.iter().flat_map(|route| &route.limits).collect();
        expect("limits of routes", format!("{limits:?}"), format!("{:?}", self.route_limits));
        if let (Some(why), Version::V2) = (&self.why_owned, version) {
            let found: Vec<_> = report.routes.iter().map(|route| &*route.why).collect();
            expect("why it is owned", format!("{found:?}"), format!("{:?}", [why]));
        }
        let snapshot = index.snapshot();
        for PodCase { labels, target } in &self.pods {
            let found = snapshot.target("shop", labels.iter());
            expect(
                &format!("Pod {labels:?} ({found})"),
                format!("{:?}", TargetKind::from(&found)),
                format!("{target:?}"),
            );
        }
        match &wrong[..] {
            [] => Ok(()),
            wrong => Err(format!("{}\n{}\n{}", self.why, wrong.join("\n"), dump(&report))),
        }
    }
}

/// Applies an object to an index.
///
/// # Panics
/// When it is malformed.
pub fn index_object(index: &mut UpstreamIndex, object: &Value) {
    let text = |field: &str| object[field].as_str().unwrap();
    let read = ClusterObject::from_manifest(text("apiVersion"), text("kind"), object, "default");
    if let Some(object) = read.unwrap_or_else(|error| panic!("{error}: {object:#}")) {
        index.apply(object);
    }
}

fn dump(report: &UpstreamReport) -> String {
    serde_json::to_string_pretty(report).unwrap()
}

/// An object with everything that an API server asks for.
fn whole(object: &Value) -> Value {
    let mut object = object.clone();
    let kind = object["kind"].as_str().unwrap().to_owned();
    let known = kind.parse::<Kind>().ok();
    if object["apiVersion"].is_null() {
        let kind = known.unwrap_or_else(|| panic!("{kind}: say its apiVersion"));
        let version = kind.versions()[0];
        let group = kind.group();
        let api_version =
            if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        object["apiVersion"] = api_version.into();
    }
    let metadata = &mut object["metadata"];
    if metadata["name"].is_null() {
        metadata["name"] = "route".into();
    }
    if metadata["namespace"].is_null() && known.is_none_or(Kind::is_namespaced) {
        metadata["namespace"] = "shop".into();
    }
    if let Some(spec) = object.get_mut("spec") {
        complete(&kind, spec);
    }
    object
}

fn complete(kind: &str, spec: &mut Value) {
    fn items(value: &mut Value) -> impl Iterator<Item = &mut Value> {
        value.as_array_mut().into_iter().flatten()
    }
    fn default(value: &mut Value, field: &str, default: Value) {
        if value[field].is_null() {
            value[field] = default;
        }
    }
    match kind {
        "Service" if spec["type"] != "ExternalName" => {
            default(spec, "ports", json!([{"name": "http", "port": 80}]));
        }
        "Ingress" => {
            for rule in items(&mut spec["rules"]) {
                if rule.get("http").is_none() {
                    continue;
                }
                for path in items(&mut rule["http"]["paths"]) {
                    default(path, "path", "/".into());
                    default(path, "pathType", "Prefix".into());
                    if path["backend"].get("service").is_some() {
                        default(&mut path["backend"]["service"], "port", json!({"number": 80}));
                    }
                }
            }
        }
        "ApisixRoute" => {
            for rule in items(&mut spec["http"]) {
                default(rule, "match", json!({"paths": ["/*"]}));
                if rule.get("backends").is_some() {
                    for backend in items(&mut rule["backends"]) {
                        default(backend, "servicePort", 80.into());
                    }
                }
            }
            for rule in spec.get_mut("stream").into_iter().flat_map(items) {
                default(&mut rule["backend"], "servicePort", 80.into());
            }
        }
        "HTTPRoute" | "GRPCRoute" | "TCPRoute" | "UDPRoute" | "TLSRoute" => {
            for rule in items(&mut spec["rules"]) {
                for backend in items(&mut rule["backendRefs"]) {
                    default(backend, "port", 80.into());
                }
            }
        }
        _ => {}
    }
    // Indexing a value adds what is missing.
    if let Some(map) = spec.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
}
