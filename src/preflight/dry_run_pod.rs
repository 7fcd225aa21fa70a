//! The Pod of a dry run.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{
    constants::{
        INJECT_DISABLED, INJECT_LABEL, INJECTED_ANNOTATION, TARGET_ALWAYS, TARGET_ANNOTATION,
        WEBHOOK_NAME_END,
    },
    injection::Pod,
};

/// The dry run in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRun {
    /// The namespace.
    pub namespace: String,
    /// The Pod as the API server would store it, or why it rejects it.
    pub outcome: Result<DryRunPod, String>,
    /// The same of a Pod that opts out.
    pub opted_out: Result<DryRunPod, String>,
}

impl DryRun {
    /// Whether the API server seems not to reach the webhook.
    pub(super) fn is_unreached(&self) -> bool {
        match &self.outcome {
            Ok(pod) => pod.seconds().is_none() && !pod.has_record(),
            // The API server puts the name of the webhook in quotes.
            Err(why) => why.contains(&format!("{WEBHOOK_NAME_END}\"")),
        }
    }
}

/// The container of the Pod. Others come from other webhooks.
const DRY_RUN_CONTAINER: &str = "app";

/// The Pod that is created: one that gets the hook whatever `--targets` says, unless it opts out.
pub fn dry_run_pod(opts_out: bool) -> Value {
    let labels = if opts_out { json!({INJECT_LABEL: INJECT_DISABLED[0]}) } else { json!({}) };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "apisix-prestop-check", "labels": labels,
            "annotations": {TARGET_ANNOTATION: TARGET_ALWAYS},
        },
        "spec": {"restartPolicy": "Always", "containers": [{"name": DRY_RUN_CONTAINER, "image": "none"}]},
    })
}

/// What is read of the Pod of a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryRunPod {
    seconds: Option<u64>,
    has_record: bool,
    grace: i64,
}

impl<'de> Deserialize<'de> for DryRunPod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pod = Pod::deserialize(deserializer)?;
        let wait = pod.hook_waits().find(|(container, _)| *container == DRY_RUN_CONTAINER);
        Ok(Self {
            seconds: wait.and_then(|(_, wait)| wait.seconds()),
            has_record: pod.annotation(INJECTED_ANNOTATION).is_some(),
            grace: pod.grace_period(),
        })
    }
}

impl DryRunPod {
    /// For how long its container sleeps, in seconds, if it does.
    pub(super) const fn seconds(&self) -> Option<u64> {
        self.seconds
    }

    /// Whether it carries the record of an injection.
    pub(super) const fn has_record(&self) -> bool {
        self.has_record
    }

    /// Its grace period, in seconds.
    pub(super) const fn grace(&self) -> i64 {
        self.grace
    }
}
