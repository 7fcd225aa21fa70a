//! The audit of manifests: of Pod templates, for a cluster with the webhook.

use std::collections::BTreeMap;

use super::super::manifest_objects::{index_of, manifest_objects};
use super::{args::AuditArgs, error::AuditError};
use crate::{
    constants::{INJECT_ENABLED_VALUES, INJECT_LABEL},
    injection::Pod,
    manifests::ListedObject,
    protection::{
        AuditReport, AuditSettings, AuditedPod, Budget, NamespaceOptIn, PodLife, ProtectionAudit,
        Replication, WorkloadPlace,
    },
};

pub(super) fn audit(args: AuditArgs, settings: AuditSettings) -> Result<AuditReport, AuditError> {
    let AuditArgs { filename, recursive, namespace, controller, .. } = args;
    let namespace = namespace.as_deref().unwrap_or("default");
    let listed = manifest_objects(&filename, recursive)?;
    let mut index = index_of(&listed, controller.into(), namespace);
    let mut namespaces = BTreeMap::from([(namespace.to_owned(), None)]);
    for ListedObject { kind, value, .. } in &listed {
        let metadata = &value["metadata"];
        if let (true, Some(name)) = (kind == "Namespace", metadata["name"].as_str()) {
            let label = metadata["labels"][INJECT_LABEL].as_str();
            let is_opted_in = label.is_some_and(|it| INJECT_ENABLED_VALUES.contains(&it));
            let opt_in = NamespaceOptIn { is_opted_in, since: None };
            namespaces.insert(name.to_owned(), Some(opt_in));
        }
        if let Some(name) = metadata["namespace"].as_str() {
            namespaces.entry(name.to_owned()).or_default();
        }
    }
    let snapshot = index.snapshot();
    let mut audit = ProtectionAudit::new(settings);
    for ListedObject { place, kind, value, pod, .. } in &listed {
        let Some(template) = pod else { continue };
        let text = template.to_string();
        let Ok(pod) = serde_json::from_str::<Pod<'_>>(&text) else { continue };
        let metadata = &value["metadata"];
        let namespace = metadata["namespace"].as_str().unwrap_or(namespace);
        let name = metadata["name"].as_str().or_else(|| metadata["generateName"].as_str());
        let workload = WorkloadPlace::new(namespace, kind, name.unwrap_or("(no name)"), "");
        let labels = pod.metadata.iter().flat_map(|metadata| metadata.labels.iter());
        let target = snapshot.target(namespace, labels);
        let containers = template["spec"]["containers"].as_array().into_iter().flatten();
        let audited = AuditedPod {
            pod: &pod,
            life: PodLife::Template,
            created: "",
            routed: None,
            namespace: namespaces.get(namespace).and_then(Option::as_ref),
            is_probed: containers.into_iter().any(|it| it["readinessProbe"].is_object()),
            hook_failed: false,
        };
        audit.add(workload, &audited, target, Some(place.clone()));
    }
    for ListedObject { kind, value, .. } in &listed {
        let metadata = &value["metadata"];
        let Some(name) = metadata["name"].as_str() else { continue };
        let namespace = metadata["namespace"].as_str().unwrap_or(namespace);
        let text = value.to_string();
        audit.replicate(namespace, kind, name, &Replication::read(&text));
        if kind == "PodDisruptionBudget"
            && let Some(budget) = Budget::read(name, &text)
        {
            audit.budget(namespace, &budget);
        }
    }
    Ok(audit.report(&snapshot, namespaces.keys().map(String::as_str), Vec::new()))
}
