//! What is done to a Pod or a Pod template. The core decides; here is only what it is asked.

use json_patch::Patch;
use serde_json::{Value, json};

use super::{error::Fault, objects::Object, text::without_position};
use crate::{
    constants::{INJECTED_ANNOTATION, KUBERNETES_DEFAULT_GRACE_PERIOD},
    injection::{
        Context, Controller, Decision, HookPlacement, Injection, InjectionRecord, Pod, Policy,
        Reason, plan,
    },
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What to do with manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Put in what the webhook would put in.
    Inject(Policy),
    /// Take out what was put in.
    Uninject,
}

/// What becomes of an object.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// In one line.
    pub(super) summary: String,
    /// The patch, relative to the object; empty if it stays as it is.
    pub(super) patch: Patch,
    /// What somebody should know.
    pub(super) notices: Vec<String>,
}

impl Change {
    /// What becomes of the Pod or the Pod template of `object` at `path`.
    pub(super) fn of(
        &self,
        object: &Object<'_>,
        path: &str,
        is_job: bool,
    ) -> Result<Outcome, Fault> {
        let fault = |message| Fault::Template {
            object: object.title.clone(),
            path: format!("{}{path}", object.path),
            message,
        };
        let template = object.value.pointer(path).unwrap_or(&Value::Null);
        let mut outcome = match self {
            Self::Inject(policy) => inject(template, is_job, policy).map_err(fault)?,
            Self::Uninject => uninject(template),
        };
        if outcome.patch.is_empty() {
            return Ok(outcome);
        }
        outcome.patch = prefixed(&outcome.patch, path).map_err(fault)?;
        outcome.notices.extend(stale(object.value, path));
        Ok(outcome)
    }
}

fn inject(template: &Value, is_job: bool, policy: &Policy) -> Result<Outcome, String> {
    // What is null is absent, to Kubernetes as to the core.
    let mut pod = json!({});
    for field in ["metadata", "spec"] {
        if let Some(value) = template.get(field).filter(|value| !value.is_null()) {
            pod[field] = value.clone();
        }
    }
    let json = pod.to_string();
    let view: Pod<'_> = serde_json::from_str(&json).map_err(|error| without_position(&error))?;
    let mut context = Context::of(&view, policy);
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
    Ok(Outcome { summary, patch, notices })
}

fn injected(injection: &Injection<'_>, grace: Option<i64>) -> String {
    let containers = injection.containers.iter().map(|container| {
        let before = match container.placement {
            HookPlacement::Add { .. } => "",
            HookPlacement::Prepend { .. } => " before its own hook",
        };
        format!("{}={}s{before}", container.name, container.delay.get())
    });
    let containers: Vec<_> = containers.collect();
    let grace = grace.unwrap_or(KUBERNETES_DEFAULT_GRACE_PERIOD);
    let grace = match injection.grace {
        Some(raise) => format!("{grace}s→{}s", raise.to),
        None => format!("{grace}s kept"),
    };
    format!("injected {}; grace {grace}", containers.join(","))
}

fn uninject(template: &Value) -> Outcome {
    let Some(annotation) = template["metadata"]["annotations"].get(INJECTED_ANNOTATION) else {
        let summary = "unchanged: not injected".to_owned();
        return Outcome { summary, ..Outcome::default() };
    };
    match annotation.as_str().unwrap_or_default().parse::<InjectionRecord>() {
        Ok(record) => {
            let summary = format!("removed {record}");
            Outcome { summary, patch: record.removal(template), notices: Vec::new() }
        }
        Err(error) => Outcome {
            summary: "unchanged".to_owned(),
            patch: Patch::default(),
            notices: vec![format!("{INJECTED_ANNOTATION}: {error}")],
        },
    }
}

/// A patch of a template as a patch of the object that it is in.
fn prefixed(patch: &Patch, prefix: &str) -> Result<Patch, String> {
    let fail = |error: serde_json::Error| error.to_string();
    let mut operations = serde_json::to_value(patch).map_err(fail)?;
    for operation in operations.as_array_mut().into_iter().flatten() {
        let path = format!("{prefix}{}", operation["path"].as_str().unwrap_or_default());
        operation["path"] = path.into();
    }
    serde_json::from_value(operations).map_err(fail)
}

/// What an object from a cluster says about itself that does not hold any more.
fn stale(object: &Value, path: &str) -> Vec<String> {
    let mut notices = Vec::new();
    let is_live = object["status"].as_object().is_some_and(|status| !status.is_empty());
    if is_live && path.is_empty() {
        notices.push("a Pod that exists cannot be changed like this: create it anew".to_owned());
    } else if is_live {
        notices.push("status is from before this change".to_owned());
    }
    if object["metadata"]["annotations"].get(LAST_APPLIED).is_some() {
        notices.push(format!("{LAST_APPLIED} is from before this change"));
    }
    notices
}
