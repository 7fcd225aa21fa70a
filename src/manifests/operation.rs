//! Injects and uninjects a Pod or a Pod template. The core decides.

use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use jsonptr::Pointer;
use serde_json::{Value, json};

use super::{
    error::{Fault, without_position},
    objects::Object,
    outcome::TemplateOutcome,
};
use crate::{
    constants::{INJECTED_ANNOTATION, KUBERNETES_DEFAULT_GRACE_PERIOD},
    injection::{
        AnnotationsBytes, Context, Controller, Decision, HookPlacement, Injection, InjectionRecord,
        Pod, Policy, Reason, plan,
    },
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What to do with manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Add what the webhook adds.
    Inject(Policy),
    /// Remove what was added.
    Uninject,
}

impl Operation {
    /// Applies the operation to the Pod or the Pod template of `object` at `path`.
    pub(super) fn of(
        &self,
        object: &Object<'_>,
        path: &Pointer,
        is_job: bool,
    ) -> Result<TemplateOutcome, Fault> {
        let fault = |message| Fault::Template {
            object: object.title.clone(),
            path: object.path.concat(path).to_string(),
            message,
        };
        let template = object.value.pointer(path.as_str()).unwrap_or(&Value::Null);
        let mut outcome = match self {
            Self::Inject(policy) => inject(template, is_job, policy).map_err(fault)?,
            Self::Uninject => uninject(template),
        };
        if outcome.patch.is_empty() {
            return Ok(outcome);
        }
        outcome.patch = prefixed(outcome.patch, path);
        outcome.notices.extend(stale(object.value, path));
        Ok(outcome)
    }
}

fn inject(template: &Value, is_job: bool, policy: &Policy) -> Result<TemplateOutcome, String> {
    // A field that is null is absent, for Kubernetes and for the core.
    let mut pod = json!({});
    for field in ["metadata", "spec"] {
        if let Some(value) = template.get(field).filter(|value| !value.is_null()) {
            pod[field] = value.clone();
        }
    }
    let json = pod.to_string();
    let view: Pod<'_> = serde_json::from_str(&json).map_err(|error| without_position(&error))?;
    let AnnotationsBytes(length) =
        serde_json::from_str(&json).map_err(|error| without_position(&error))?;
    let mut context = Context { annotations_bytes: Some(length), ..Context::of(&view, policy) };
    // A template does not name the controller of its Pods: its kind does.
    if is_job {
        context.controller = Some(Controller::JOB);
    }
    let plan = plan(&view, &context);
    let (summary, patch) = match &plan.decision {
        Decision::Inject(injection) => {
            let patch = injection.patch().map_err(|error| error.to_string())?;
            (injected(injection, view.spec.termination_grace_period_seconds), patch)
        }
        Decision::Skip(Reason::HookPresent) if view.spec.containers.is_empty() => {
            ("unchanged: no containers".to_owned(), Patch::default())
        }
        Decision::Skip(reason) => (format!("unchanged: {reason}"), Patch::default()),
    };
    let notices = plan.notices.iter().map(ToString::to_string).collect();
    Ok(TemplateOutcome { summary, patch, notices })
}

fn injected(injection: &Injection<'_>, grace: Option<i64>) -> String {
    let containers = injection.containers.iter().map(|container| {
        let before = match container.placement {
            HookPlacement::Prepend { .. } => " before its own hook",
            HookPlacement::Add { .. } | HookPlacement::Replace { .. } => "",
        };
        format!("{}={}s{before}", container.name, container.delay.get())
    });
    let containers: Vec<_> = containers.collect();
    let containers = containers.join(",");
    let grace = grace.unwrap_or(KUBERNETES_DEFAULT_GRACE_PERIOD);
    let grace = match injection.grace {
        Some(raise) => format!("{grace}s→{}s", raise.to),
        None => format!("{grace}s kept"),
    };
    match injection.reason {
        Reason::GraceTooShort => format!("raised the grace period {grace}"),
        Reason::HookOutdated => format!("changed {containers}; grace {grace}"),
        _ => format!("injected {containers}; grace {grace}"),
    }
}

fn uninject(template: &Value) -> TemplateOutcome {
    let Some(annotation) = template["metadata"]["annotations"].get(INJECTED_ANNOTATION) else {
        let summary = "unchanged: not injected".to_owned();
        return TemplateOutcome { summary, ..TemplateOutcome::default() };
    };
    match annotation.as_str().unwrap_or_default().parse::<InjectionRecord>() {
        Ok(record) => {
            let summary = format!("removed {record}");
            TemplateOutcome { summary, patch: record.removal(template), notices: Vec::new() }
        }
        Err(error) => TemplateOutcome {
            summary: "unchanged".to_owned(),
            patch: Patch::default(),
            notices: vec![format!("{INJECTED_ANNOTATION}: {error}")],
        },
    }
}

/// A patch of a template as a patch of its object. Ours only add and remove.
fn prefixed(mut patch: Patch, prefix: &Pointer) -> Patch {
    for operation in &mut patch.0 {
        let (PatchOperation::Add(AddOperation { path, .. })
        | PatchOperation::Remove(RemoveOperation { path })) = operation
        else {
            continue;
        };
        *path = prefix.concat(&*path);
    }
    patch
}

/// Notices about fields of an object from a cluster that no longer apply.
fn stale(object: &Value, path: &Pointer) -> Vec<String> {
    let mut notices = Vec::new();
    let is_live = object["status"].as_object().is_some_and(|status| !status.is_empty());
    if is_live && path.is_root() {
        notices.push("an existing Pod cannot be changed like this: create it anew".to_owned());
    } else if is_live {
        notices.push("status is from before this change".to_owned());
    }
    if object["metadata"]["annotations"].get(LAST_APPLIED).is_some() {
        notices.push(format!("{LAST_APPLIED} is from before this change"));
    }
    notices
}
