//! What an audit finds.

use std::fmt;

use serde::Serialize;
use strum::{EnumCount, EnumDiscriminants, IntoStaticStr, VariantArray};

use super::place::WorkloadPlace;
use crate::{
    constants::{
        DEFAULT_SHUTDOWN_RESERVE, DELAY_ANNOTATION, EXISTING_HOOK_ANNOTATION, INJECT_ENABLED,
        INJECT_LABEL,
    },
    object_name::is_object_name,
};

/// What an audit finds about Pods to which APISIX sends requests, or about their workload. Its
/// `Display` is one sentence without its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumDiscriminants)]
#[strum_discriminants(
    name(AuditFindingName),
    derive(PartialOrd, Ord, EnumCount, IntoStaticStr, VariantArray, Serialize),
    strum(serialize_all = "snake_case"),
    serde(rename_all = "snake_case"),
    doc = "The name of a finding, as in JSON and SARIF."
)]
pub enum AuditFinding {
    /// No sleep, and no webhook that would add one.
    WebhookMissing,
    /// No sleep: the namespace has not opted in.
    NotOptedIn,
    /// No sleep: the Pods are older than the label of their namespace.
    CreatedBeforeOptIn,
    /// No sleep: the Pods are older than their route, and only Pods with a route get one.
    CreatedBeforeRoute,
    /// No sleep, although nothing was missing when the Pods were created.
    CreatedWithoutWebhook,
    /// No sleep: a label on the Pod opts out.
    OptedOut,
    /// No sleep: the delay is 0.
    DelayZero,
    /// No sleep: on Windows, an exec hook has no shell.
    WindowsExec,
    /// No sleep: without a grace period, no hook runs.
    GraceZero,
    /// The author's own hook does not wait.
    HookEndsListener {
        /// The container.
        container: String,
    },
    /// The kubelet could not run the hook.
    HookFailed,
    /// The grace period cuts the hook off.
    GraceCutsHook {
        /// How long it sleeps, in seconds.
        sleep: u64,
        /// The grace period, in seconds.
        grace: i64,
    },
    /// The sleep is shorter than APISIX needs.
    SleepShort {
        /// How long it is, in seconds.
        sleep: u64,
        /// How long it has to be, in seconds.
        needed: u64,
    },
    /// A Pod was stopped faster than its hook takes.
    KilledInSleep {
        /// The grace period that it was given, in seconds.
        grace: i64,
    },
    /// The author's own hook may wait or not.
    HookUnknown {
        /// The container.
        container: String,
    },
    /// The workload has one Pod.
    SingleReplica,
    /// A rollout stops all Pods before others are ready.
    AllAtOnce,
    /// A PodDisruptionBudget lets all Pods be evicted at once.
    BudgetWithoutEffect {
        /// The PodDisruptionBudget.
        budget: String,
    },
    /// No container has a readiness probe.
    ReadinessMissing,
}

/// How well the Pods of a workload are protected. Worse is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Protection {
    /// Nothing makes them wait before they stop.
    Unprotected,
    /// They wait, but not long enough.
    Short,
    /// They wait.
    Protected,
}

impl AuditFindingName {
    /// Its name in JSON and SARIF.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How well Pods with this finding are protected.
    pub const fn protection(self) -> Protection {
        match self {
            Self::WebhookMissing
            | Self::NotOptedIn
            | Self::CreatedBeforeOptIn
            | Self::CreatedBeforeRoute
            | Self::CreatedWithoutWebhook
            | Self::OptedOut
            | Self::DelayZero
            | Self::WindowsExec
            | Self::GraceZero
            | Self::HookEndsListener
            | Self::HookFailed => Protection::Unprotected,
            Self::GraceCutsHook | Self::SleepShort | Self::KilledInSleep => Protection::Short,
            Self::HookUnknown
            | Self::SingleReplica
            | Self::AllAtOnce
            | Self::BudgetWithoutEffect
            | Self::ReadinessMissing => Protection::Protected,
        }
    }

    /// Whether Pods that start now are protected.
    pub const fn is_cured_by_restart(self) -> bool {
        matches!(
            self,
            Self::CreatedBeforeOptIn | Self::CreatedBeforeRoute | Self::CreatedWithoutWebhook
        )
    }

    /// Whether Pods with this finding are a problem that nobody has decided for.
    pub const fn is_watched(self) -> bool {
        let is_decided = matches!(self, Self::OptedOut | Self::DelayZero);
        !is_decided && !matches!(self.protection(), Protection::Protected)
    }

    /// Whether a person should learn of it by an Event. The author of a hook has read about it when
    /// the Pod was created, and a new delay makes all Pods of a cluster short.
    pub const fn is_announced(self) -> bool {
        self.is_watched() && !matches!(self, Self::HookEndsListener | Self::SleepShort)
    }
}

impl AuditFinding {
    /// Its name in JSON and SARIF.
    pub fn name(&self) -> AuditFindingName {
        self.into()
    }

    /// The command that mends it, or that shows more where no command mends it.
    pub fn command(&self, place: &WorkloadPlace) -> String {
        let namespace = &place.namespace;
        if !place.is_an_object() {
            return "kubectl get pods --all-namespaces".to_owned();
        }
        let restart = || match place.is_restartable() {
            true => format!("kubectl -n {namespace} rollout restart {place}"),
            false => format!("kubectl -n {namespace} get {place} -o yaml"),
        };
        let annotate = |key: &str, value: &str| {
            let metadata = format!(r#""metadata": {{"annotations": {{"{key}": {value}}}}}"#);
            place.patch(&place.in_template(&metadata))
        };
        match self {
            Self::WebhookMissing => "helm install apisix-prestop charts/apisix-prestop --namespace \
                                     apisix-prestop --create-namespace --wait"
                .to_owned(),
            Self::NotOptedIn => format!(
                "kubectl label namespace {namespace} {INJECT_LABEL}={INJECT_ENABLED} && {}",
                restart()
            ),
            Self::CreatedBeforeOptIn | Self::CreatedBeforeRoute | Self::CreatedWithoutWebhook => {
                restart()
            }
            Self::OptedOut => place.patch(
                &place.in_template(&format!(r#""metadata": {{"labels": {{"{INJECT_LABEL}": null}}}}"#)),
            ),
            Self::DelayZero => annotate(DELAY_ANNOTATION, "null"),
            Self::HookEndsListener { .. } | Self::HookUnknown { .. } => {
                annotate(EXISTING_HOOK_ANNOTATION, r#""prepend""#)
            }
            Self::WindowsExec => "helm upgrade apisix-prestop charts/apisix-prestop --namespace \
                                  apisix-prestop --reset-then-reuse-values --set injection.hook=sleep"
                .to_owned(),
            Self::GraceZero => {
                place.patch(&place.in_template(r#""spec": {"terminationGracePeriodSeconds": 30}"#))
            }
            Self::GraceCutsHook { sleep, .. } => {
                let grace = sleep.saturating_add(DEFAULT_SHUTDOWN_RESERVE.into());
                let spec = format!(r#""spec": {{"terminationGracePeriodSeconds": {grace}}}"#);
                place.patch(&place.in_template(&spec))
            }
            Self::HookFailed => format!(
                "kubectl -n {namespace} get events --field-selector reason=FailedPreStopHook"
            ),
            Self::SleepShort { needed, .. } => {
                annotate(DELAY_ANNOTATION, &format!(r#""{needed}s""#))
            }
            Self::KilledInSleep { .. } => {
                format!("kubectl -n {namespace} get events --sort-by=.lastTimestamp")
            }
            Self::SingleReplica => format!("kubectl -n {namespace} scale {place} --replicas=2"),
            Self::AllAtOnce => place.patch(
                r#"{"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}}"#,
            ),
            Self::BudgetWithoutEffect { budget } if !is_object_name(budget) => {
                format!("kubectl -n {namespace} get poddisruptionbudgets")
            }
            Self::BudgetWithoutEffect { budget } => format!(
                "kubectl -n {namespace} patch poddisruptionbudget {budget} --type merge --patch \
                 '{{\"spec\": {{\"minAvailable\": null, \"maxUnavailable\": 1}}}}'"
            ),
            Self::ReadinessMissing => format!("kubectl -n {namespace} edit {place}"),
        }
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebhookMissing => f.write_str("no webhook of apisix-prestop is installed"),
            Self::NotOptedIn => {
                write!(f, "the namespace has no label {INJECT_LABEL}={INJECT_ENABLED}")
            }
            Self::CreatedBeforeOptIn => f.write_str("created before the namespace opted in"),
            Self::CreatedBeforeRoute => {
                f.write_str("created before its route, and injection.targets is upstreams")
            }
            Self::CreatedWithoutWebhook => {
                f.write_str("created while the webhook did not answer, or before it was installed")
            }
            Self::OptedOut => write!(f, "the label {INJECT_LABEL} of the Pod opts out"),
            Self::DelayZero => f.write_str("the delay is 0"),
            Self::WindowsExec => f.write_str("on Windows, an exec hook has no shell"),
            Self::GraceZero => f.write_str("without a grace period, no hook runs"),
            Self::HookEndsListener { container } => {
                write!(f, "the preStop hook of container {container} stops the server immediately")
            }
            Self::HookFailed => f.write_str(
                "the kubelet could not run the preStop hook: the image may have no shell",
            ),
            Self::GraceCutsHook { sleep, grace } => {
                write!(f, "a hook sleeps {sleep} s, and the grace period ends after {grace} s")
            }
            Self::SleepShort { sleep, needed } => {
                write!(f, "a hook sleeps {sleep} s, and {needed} s are needed")
            }
            Self::KilledInSleep { grace } => {
                write!(
                    f,
                    "stopped or evicted with a grace period of {grace} s: the sleep ends early"
                )
            }
            Self::HookUnknown { container } => write!(
                f,
                "whether the preStop hook of container {container} waits, only its author knows"
            ),
            Self::SingleReplica => {
                f.write_str("one replica: while it moves to another node, there is none")
            }
            Self::AllAtOnce => f.write_str("a rollout stops all Pods before others are ready"),
            Self::BudgetWithoutEffect { budget } => {
                write!(f, "PodDisruptionBudget {budget} lets all Pods be evicted at once")
            }
            Self::ReadinessMissing => f.write_str(
                "no readiness probe: a new Pod gets requests before it is able to answer",
            ),
        }
    }
}
