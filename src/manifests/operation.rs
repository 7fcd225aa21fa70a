//! Injects and uninjects a Pod or a Pod template. The core decides.

use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use jsonptr::{Pointer, PointerBuf};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_path_to_error::Segment;

use super::{
    error::{Fault, without_position},
    misplaced::misplaced,
    objects::Object,
    outcome::TemplateOutcome,
};
use crate::{
    constants::{INJECTED_ANNOTATION, KUBERNETES_DEFAULT_GRACE_PERIOD},
    injection::{
        AnnotationsBytes, Context, Controller, Decision, HookPlacement, Injection, InjectionRecord,
        Pod, Policy, Reason, Removal, plan,
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
        let template = object.value.pointer(path.as_str()).unwrap_or(&Value::Null);
        let mut outcome = match self {
            Self::Inject(policy) => {
                let place = |inner: &Pointer| object.path.concat(path).concat(inner);
                let title = object.title.clone();
                inject(template, is_job, policy).map_err(|wrong| wrong.in_object(title, place))?
            }
            Self::Uninject => uninject(template),
        };
        if matches!(self, Self::Inject(_)) {
            outcome.notices.extend(misplaced(object.value, path));
        }
        if outcome.patch.is_empty() {
            return Ok(outcome);
        }
        outcome.patch = prefixed(outcome.patch, path);
        outcome.notices.extend(stale(object.value, path));
        Ok(outcome)
    }
}

/// What is wrong with a Pod template.
enum Wrong {
    /// The value of an annotation or a label, by its path.
    NotString { path: PointerBuf, key: String, value: Value },
    /// Something else.
    Shape { path: PointerBuf, message: String },
}

impl Wrong {
    fn in_object(self, object: String, place: impl Fn(&Pointer) -> PointerBuf) -> Fault {
        match self {
            Self::NotString { path, key, value } => {
                Fault::NotString { object, key, path: place(&path), value }
            }
            Self::Shape { path, message } => {
                Fault::Template { object, path: place(&path), message }
            }
        }
    }
}

/// Labels and annotations are strings: Kubernetes accepts nothing else, and `5` without quotes is a
/// number.
fn check_strings(metadata: &Value) -> Result<(), Wrong> {
    for field in ["labels", "annotations"] {
        for (key, value) in metadata[field].as_object().into_iter().flatten() {
            if !value.is_string() && !value.is_null() {
                let path = PointerBuf::from_tokens(["metadata", field, key]);
                return Err(Wrong::NotString { path, key: key.clone(), value: value.clone() });
            }
        }
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Wrong> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let segments = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let path = PointerBuf::from_tokens(segments.collect::<Vec<_>>().iter().map(String::as_str));
        Wrong::Shape { path, message: without_position(error.inner()) }
    })
}

fn inject(template: &Value, is_job: bool, policy: &Policy) -> Result<TemplateOutcome, Wrong> {
    // A field that is null is absent, for Kubernetes and for the core.
    let mut pod = json!({});
    for field in ["metadata", "spec"] {
        if let Some(value) = template.get(field).filter(|value| !value.is_null()) {
            pod[field] = value.clone();
        }
    }
    check_strings(&pod["metadata"])?;
    let json = pod.to_string();
    let view: Pod<'_> = read(&json)?;
    let AnnotationsBytes(length) = read(&json)?;
    let mut context = Context { annotations_bytes: Some(length), ..Context::of(&view, policy) };
    // A template does not name the controller of its Pods: its kind does.
    if is_job {
        context.controller = Some(Controller::JOB);
    }
    let plan = plan(&view, &context);
    let (summary, patch) = match &plan.decision {
        Decision::Inject(injection) => {
            let patch = injection.patch().map_err(|error| Wrong::Shape {
                path: PointerBuf::new(),
                message: error.to_string(),
            })?;
            (injected(injection, view.spec.termination_grace_period_seconds), patch)
        }
        Decision::Skip(Reason::HookPresent) if view.spec.containers.is_empty() => {
            ("unchanged: no containers".to_owned(), Patch::default())
        }
        Decision::Skip(reason) => (format!("unchanged: {reason}"), Patch::default()),
    };
    let notices = plan.notices.iter().map(|notice| format!("{notice:#}")).collect();
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
            let Removal { patch, kept, keeps_grace } = record.removal(template);
            let summary = format!("removed {record}");
            let mut notices: Vec<_> = kept
                .iter()
                .map(|name| format!("container {name}: its hook was changed since, and stays"))
                .collect();
            if let Some(grace) = keeps_grace {
                notices.push(format!("terminationGracePeriodSeconds stays {grace}: {}", {
                    if kept.is_empty() { "it was changed since" } else { "that hook needs it" }
                }));
            }
            TemplateOutcome { summary, patch, notices }
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
