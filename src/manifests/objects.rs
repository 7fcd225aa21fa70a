//! The kinds that hold a Pod template, and where.

use jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

use super::printable::printable;

/// A Kubernetes object in a document.
#[derive(Debug)]
pub(super) struct Object<'v> {
    /// Its kind and name, such as `deployment/web`.
    pub(super) title: String,
    pub(super) api_version: String,
    pub(super) kind: String,
    /// Where it is in the document.
    pub(super) path: PointerBuf,
    pub(super) value: &'v Value,
    pub(super) pods: Pods,
}

/// The Pods of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pods {
    /// It is a Pod, or has a Pod template at this path.
    At { path: &'static Pointer, is_job: bool },
    /// Its kind has a Pod template, but the object does not: a Rollout that refers to a Deployment.
    Missing,
    /// It has none.
    None,
    /// Its kind is unknown, and these paths look like Pod templates.
    Unknown { paths: Vec<String> },
}

/// A kind, by group and name, and where its Pod template is.
struct WorkloadKind {
    group: &'static str,
    kind: &'static str,
    path: &'static Pointer,
    /// Whether a Job controls the Pods.
    is_job: bool,
}

const fn kind(group: &'static str, kind: &'static str, path: &'static str) -> WorkloadKind {
    WorkloadKind { group, kind, path: Pointer::from_static(path), is_job: false }
}

const fn job(name: &'static str, path: &'static str) -> WorkloadKind {
    WorkloadKind { is_job: true, ..kind("batch", name, path) }
}

const KINDS: [WorkloadKind; 13] = [
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

/// The objects in a document: one, or those of a list. `default` is the apiVersion and kind of an
/// object that does not say it.
pub(super) fn objects<'v>(
    document: &'v Value,
    default: Option<&(String, String)>,
) -> Vec<Object<'v>> {
    let mut objects = Vec::new();
    let default = default.map_or(("", ""), |(version, kind)| (version, kind));
    collect(document, PointerBuf::new(), default, &mut objects);
    objects
}

fn collect<'v>(
    value: &'v Value,
    path: PointerBuf,
    (default_version, default_kind): (&str, &str),
    objects: &mut Vec<Object<'v>>,
) {
    let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty());
    let version = text("apiVersion").unwrap_or(default_version);
    let kind = text("kind").unwrap_or(default_kind);
    if let (Some(item_kind), Some(items)) = (kind.strip_suffix("List"), value["items"].as_array()) {
        // The items of a `List` name their kind; those of a `PodList` need not.
        for (index, item) in items.iter().enumerate() {
            let default = if item_kind.is_empty() { ("", "") } else { (version, item_kind) };
            let path = path.with_trailing_token("items").with_trailing_token(index);
            collect(item, path, default, objects);
        }
        return;
    }
    if kind.is_empty() {
        return;
    }
    let metadata = &value["metadata"];
    let name = metadata["name"].as_str().or_else(|| metadata["generateName"].as_str());
    let title = printable(&format!("{}/{}", kind.to_lowercase(), name.unwrap_or("(no name)")));
    objects.push(Object {
        title,
        api_version: version.to_owned(),
        kind: kind.to_owned(),
        path,
        value,
        pods: pods(version, kind, value),
    });
}

fn pods(version: &str, kind: &str, value: &Value) -> Pods {
    let group = version.split_once('/').map_or("", |(group, _)| group);
    match KINDS.iter().find(|known| known.group == group && known.kind == kind) {
        Some(WorkloadKind { path, is_job, .. }) => match value.pointer(path.as_str()) {
            Some(Value::Null) | None => Pods::Missing,
            Some(_) => Pods::At { path, is_job: *is_job },
        },
        None => {
            let mut paths = Vec::new();
            templates(value, PointerBuf::new(), &mut paths);
            if paths.is_empty() { Pods::None } else { Pods::Unknown { paths } }
        }
    }
}

/// Finds what looks like a Pod template: a `containers` that lists mappings with names.
fn templates(value: &Value, path: PointerBuf, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let containers = map.get("containers").and_then(Value::as_array);
            let is_spec = containers.is_some_and(|containers| {
                !containers.is_empty() && containers.iter().all(|item| item["name"].is_string())
            });
            if is_spec {
                let template = path.as_str().strip_suffix("/spec").unwrap_or(path.as_str());
                paths.push(if template.is_empty() { "/".to_owned() } else { template.to_owned() });
                return;
            }
            for (key, value) in map {
                templates(value, path.with_trailing_token(key.as_str()), paths);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                templates(value, path.with_trailing_token(index), paths);
            }
        }
        _ => {}
    }
}
