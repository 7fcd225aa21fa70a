//! Where the Pods are: the kinds that hold a Pod template.

use serde_json::Value;

use super::{report::printable, text::escaped};

/// A Kubernetes object in a document.
#[derive(Debug)]
pub(super) struct Object<'v> {
    /// Its kind and name, such as `deployment/web`.
    pub(super) title: String,
    /// Where it is in the document, as a JSON pointer.
    pub(super) path: String,
    pub(super) value: &'v Value,
    pub(super) pods: Pods,
}

/// What an object has to do with Pods.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pods {
    /// It is a Pod, or has a Pod template at this JSON pointer.
    At { path: &'static str, is_job: bool },
    /// Its kind should have a Pod template, but it does not: a Rollout that refers to a
    /// Deployment.
    Missing,
    /// Nothing.
    None,
    /// We do not know the kind, and it looks as if there were Pod templates here.
    Unknown { paths: Vec<String> },
}

/// A kind, by group and name, and where its Pod template is.
struct Kind {
    group: &'static str,
    kind: &'static str,
    path: &'static str,
    /// Whether a Job will own the Pods.
    is_job: bool,
}

const fn kind(group: &'static str, kind: &'static str, path: &'static str) -> Kind {
    Kind { group, kind, path, is_job: false }
}

const fn job(name: &'static str, path: &'static str) -> Kind {
    Kind { group: "batch", kind: name, path, is_job: true }
}

const KINDS: [Kind; 13] = [
    kind("", "Pod", ""),
    kind("", "PodTemplate", "/template"),
    kind("", "ReplicationController", "/spec/template"),
    kind("apps", "Deployment", "/spec/template"),
    kind("apps", "StatefulSet", "/spec/template"),
    kind("apps", "DaemonSet", "/spec/template"),
    kind("apps", "ReplicaSet", "/spec/template"),
    kind("extensions", "Deployment", "/spec/template"),
    kind("extensions", "DaemonSet", "/spec/template"),
    kind("extensions", "ReplicaSet", "/spec/template"),
    job("Job", "/spec/template"),
    job("CronJob", "/spec/jobTemplate/spec/template"),
    kind("argoproj.io", "Rollout", "/spec/template"),
];

/// The objects in a document: one, or those of a list.
pub(super) fn objects(document: &Value) -> Vec<Object<'_>> {
    let mut objects = Vec::new();
    collect(document, String::new(), ("", ""), &mut objects);
    objects
}

fn collect<'v>(
    value: &'v Value,
    path: String,
    (default_version, default_kind): (&str, &str),
    objects: &mut Vec<Object<'v>>,
) {
    let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty());
    let version = text("apiVersion").unwrap_or(default_version);
    let kind = text("kind").unwrap_or(default_kind);
    if let (Some(item_kind), Some(items)) = (kind.strip_suffix("List"), value["items"].as_array()) {
        // The items of a `List` say what they are; those of a `PodList` need not.
        for (index, item) in items.iter().enumerate() {
            let default = if item_kind.is_empty() { ("", "") } else { (version, item_kind) };
            collect(item, format!("{path}/items/{index}"), default, objects);
        }
        return;
    }
    if kind.is_empty() {
        return;
    }
    let metadata = &value["metadata"];
    let name = metadata["name"].as_str().or_else(|| metadata["generateName"].as_str());
    let title = printable(&format!("{}/{}", kind.to_lowercase(), name.unwrap_or("(no name)")));
    objects.push(Object { title, path, value, pods: pods(version, kind, value) });
}

fn pods(version: &str, kind: &str, value: &Value) -> Pods {
    let group = version.split_once('/').map_or("", |(group, _)| group);
    match KINDS.iter().find(|known| known.group == group && known.kind == kind) {
        Some(Kind { path, is_job, .. }) => match value.pointer(path) {
            Some(Value::Null) | None => Pods::Missing,
            Some(_) => Pods::At { path, is_job: *is_job },
        },
        None => {
            let mut paths = Vec::new();
            templates(value, String::new(), &mut paths);
            if paths.is_empty() { Pods::None } else { Pods::Unknown { paths } }
        }
    }
}

/// What looks like a Pod template: a `containers` that lists mappings.
fn templates(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let containers = map.get("containers").and_then(Value::as_array);
            let is_spec = containers.is_some_and(|containers| {
                !containers.is_empty() && containers.iter().all(|item| item["name"].is_string())
            });
            if is_spec {
                let path = path.strip_suffix("/spec").unwrap_or(&path);
                paths.push(if path.is_empty() { "/".to_owned() } else { path.to_owned() });
                return;
            }
            for (key, value) in map {
                templates(value, format!("{path}/{}", escaped(key)), paths);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                templates(value, format!("{path}/{index}"), paths);
            }
        }
        _ => {}
    }
}
