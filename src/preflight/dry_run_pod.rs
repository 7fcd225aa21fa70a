//! The Pod of a dry run.

use serde::Deserialize;
use serde_json::{Value, json};

use super::listed::NamedMetadata;
use crate::constants::{
    INJECTED_ANNOTATION, KUBERNETES_DEFAULT_GRACE_PERIOD, TARGET_ALWAYS, TARGET_ANNOTATION,
    WEBHOOK_NAME,
};

/// The dry run in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRun {
    /// The namespace.
    pub namespace: String,
    /// The Pod as the API server would store it, or why it rejects it.
    pub outcome: Result<DryRunPod, String>,
}

impl DryRun {
    /// Whether the API server seems not to reach the webhook.
    pub(super) fn is_unreached(&self) -> bool {
        match &self.outcome {
            Ok(pod) => pod.seconds().is_none() && !pod.has_record(),
            Err(why) => why.contains(WEBHOOK_NAME),
        }
    }
}

/// The container of the Pod. Others come from other webhooks.
const DRY_RUN_CONTAINER: &str = "app";

/// The Pod that is created: one that gets the hook whatever `--targets` says.
pub fn dry_run_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "apisix-prestop-check", "annotations": {TARGET_ANNOTATION: TARGET_ALWAYS}},
        "spec": {"restartPolicy": "Always", "containers": [{"name": DRY_RUN_CONTAINER, "image": "none"}]},
    })
}

/// What is read of the Pod of a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DryRunPod {
    metadata: NamedMetadata,
    spec: DryRunSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DryRunSpec {
    containers: Vec<DryRunContainer>,
    termination_grace_period_seconds: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct DryRunContainer {
    name: String,
    lifecycle: DryRunLifecycle,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DryRunLifecycle {
    pre_stop: DryRunHook,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct DryRunHook {
    sleep: Option<DryRunSleep>,
    exec: DryRunExec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct DryRunSleep {
    seconds: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct DryRunExec {
    command: Vec<String>,
}

impl DryRunHook {
    /// For how long it sleeps, if it does.
    fn seconds(&self) -> Option<i64> {
        let native = self.sleep.as_ref().map(|sleep| sleep.seconds);
        native.or_else(|| self.exec.command.last()?.strip_prefix("sleep ")?.trim().parse().ok())
    }
}

impl DryRunPod {
    /// For how long its container sleeps, if it does.
    pub(super) fn seconds(&self) -> Option<i64> {
        let mut containers = self.spec.containers.iter();
        containers.find(|it| it.name == DRY_RUN_CONTAINER)?.lifecycle.pre_stop.seconds()
    }

    /// Whether it carries the record of an injection.
    pub(super) fn has_record(&self) -> bool {
        self.metadata.annotations.get(INJECTED_ANNOTATION).is_some()
    }

    /// Its grace period, in seconds.
    pub(super) fn grace(&self) -> i64 {
        self.spec.termination_grace_period_seconds.unwrap_or(KUBERNETES_DEFAULT_GRACE_PERIOD)
    }
}
