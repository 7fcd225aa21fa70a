//! The audit of manifests: of Pod templates, for a cluster with the webhook.

use std::collections::BTreeMap;

use super::super::manifest_objects::{index_of, manifest_objects};
use super::{args::AuditArgs, error::AuditError};
use crate::{
    constants::{INJECT_ENABLED_VALUES, INJECT_LABEL},
    injection::Pod,
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
    for object in &listed {
        if let ("Namespace", Some(name)) = (&*object.kind, object.name()) {
            let label = object.value["metadata"]["labels"][INJECT_LABEL].as_str();
            let is_opted_in = label.is_some_and(|it| INJECT_ENABLED_VALUES.contains(&it));
            let opt_in = NamespaceOptIn { is_opted_in, since: None };
            namespaces.insert(name.to_owned(), Some(opt_in));
        }
        if let Some(name) = object.namespace() {
            namespaces.entry(name.to_owned()).or_default();
        }
    }
    let snapshot = index.snapshot();
    let mut audit = ProtectionAudit::new(settings);
    for object in &listed {
        let Some(template) = &object.pod else { continue };
        let text = template.to_string();
        let Ok(pod) = serde_json::from_str::<Pod<'_>>(&text) else { continue };
        let namespace = object.namespace().unwrap_or(namespace);
        let name = object.name().unwrap_or("(no name)");
        let workload = WorkloadPlace::new(namespace, &object.kind, name, "");
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
        audit.add(workload, &audited, target, Some(object.place.clone()));
    }
    for object in &listed {
        let Some(name) = object.name() else { continue };
        let namespace = object.namespace().unwrap_or(namespace);
        let text = object.value.to_string();
        audit.replicate(namespace, &object.kind, name, &Replication::read(&text));
        if object.kind == "PodDisruptionBudget"
            && let Some(budget) = Budget::read(name, &text)
        {
            audit.budget(namespace, &budget);
        }
    }
    Ok(audit.report(&snapshot, namespaces.keys().map(String::as_str), Vec::new()))
}
