//! What is known of one Pod, and what that comes to.

use super::{
    finding::AuditFinding,
    lack::{Lack, reason_now},
};
use crate::{
    constants::DELAY_ANNOTATION,
    injection::{HookWait, Pod, Policy, Targets},
};

/// What an audit compares Pods with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// The policy of the webhook, or the one that it would have.
    pub policy: Policy,
    /// Whether a webhook is installed.
    pub is_installed: bool,
    /// How long APISIX takes to let go of a Pod, in seconds, if somebody has measured it.
    pub propagation: Option<u32>,
    /// Whether the delay of the policy follows from it.
    pub is_delay_measured: bool,
}

/// Whether a namespace has opted in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceOptIn {
    /// Whether it has.
    pub is_opted_in: bool,
    /// When its label was written last, as far as that is known.
    pub since: Option<String>,
}

/// What happens to a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodLife {
    /// It is a template, of which no Pod is known.
    #[default]
    Template,
    /// It runs, or starts.
    Running,
    /// It is being deleted, with this grace period in seconds.
    Stopping(i64),
    /// The node has evicted it.
    Evicted,
    /// It has ended.
    Ended,
}

/// What is known of a Pod to which APISIX sends requests.
#[derive(Debug)]
pub struct AuditedPod<'p, 'a> {
    /// The Pod.
    pub pod: &'p Pod<'a>,
    /// What happens to it.
    pub life: PodLife,
    /// When it was created.
    pub created: &'p str,
    /// When its route was created, if that is known.
    pub routed: Option<&'p str>,
    /// Whether its namespace has opted in. `None` if that is not known.
    pub namespace: Option<&'p NamespaceOptIn>,
    /// Whether a container has a readiness probe.
    pub is_probed: bool,
    /// Whether the kubelet could not run its hook.
    pub hook_failed: bool,
}

/// Of a hard eviction by the node, in seconds.
const EVICTION_GRACE: i64 = 1;

impl AuditedPod<'_, '_> {
    /// What there is to say about it.
    pub fn findings(&self, settings: &AuditSettings) -> Vec<AuditFinding> {
        match self.life {
            PodLife::Ended => Vec::new(),
            PodLife::Stopping(grace) => self.killed(grace).into_iter().collect(),
            PodLife::Evicted => self.killed(EVICTION_GRACE).into_iter().collect(),
            PodLife::Template | PodLife::Running => self.running(settings),
        }
    }

    fn killed(&self, grace: i64) -> Option<AuditFinding> {
        let longest = self.pod.hook_waits().filter_map(|(_, wait)| wait.seconds()).max()?;
        let is_cut = u64::try_from(grace).is_ok_and(|grace| grace < longest);
        is_cut.then_some(AuditFinding::KilledInSleep { grace })
    }

    fn running(&self, settings: &AuditSettings) -> Vec<AuditFinding> {
        let mut found = Vec::new();
        if self.hook_failed {
            found.push(AuditFinding::HookFailed);
        }
        let mut has_missing = false;
        for (container, wait) in self.pod.hook_waits() {
            let container = || container.to_owned();
            match wait {
                HookWait::Missing => has_missing = true,
                HookWait::Sleeps(sleep) => found.extend(self.sleep(sleep, settings)),
                HookWait::EndsListener => {
                    found.push(AuditFinding::HookEndsListener { container: container() });
                }
                HookWait::Unknown => {
                    found.push(AuditFinding::HookUnknown { container: container() });
                }
            }
        }
        if has_missing {
            found.extend(self.missing(settings));
        }
        if !self.is_probed {
            found.push(AuditFinding::ReadinessMissing);
        }
        found.sort();
        found.dedup();
        found
    }

    /// What is wrong with a hook that sleeps.
    fn sleep(&self, sleep: u64, settings: &AuditSettings) -> Option<AuditFinding> {
        let grace = self.pod.grace_period();
        if i64::try_from(sleep).map_or(true, |sleep| sleep >= grace) {
            return Some(AuditFinding::GraceCutsHook { sleep, grace });
        }
        // Whoever asks for another delay knows why, unless somebody has measured.
        let asks = self.pod.annotation(DELAY_ANNOTATION).is_some();
        let delay = (!asks).then_some(settings.policy.delay.get());
        let measured_delay = delay.filter(|_| settings.is_delay_measured);
        let needed = measured_delay.or(settings.propagation).or(delay)?.into();
        (sleep < needed).then_some(AuditFinding::SleepShort { sleep, needed })
    }

    /// Why a container has no hook.
    fn missing(&self, settings: &AuditSettings) -> Option<AuditFinding> {
        let is_template = self.life == PodLife::Template;
        let is_opted_in = self.namespace.is_none_or(|namespace| namespace.is_opted_in);
        match Lack::of(reason_now(self.pod, &settings.policy))? {
            Lack::OptedOut => Some(AuditFinding::OptedOut),
            Lack::DelayZero => Some(AuditFinding::DelayZero),
            Lack::WindowsExec => Some(AuditFinding::WindowsExec),
            Lack::GraceZero => Some(AuditFinding::GraceZero),
            Lack::Overlooked | Lack::CutOff => match () {
                () if !settings.is_installed => Some(AuditFinding::WebhookMissing),
                () if !is_opted_in => Some(AuditFinding::NotOptedIn),
                // The webhook adds the hook to its Pods.
                () if is_template => None,
                () => Some(overlooked(self.created, self.namespace, self.routed, settings)),
            },
        }
    }
}

/// Why the webhook did not add a hook that it would add now.
pub(in crate::protection) fn overlooked(
    created: &str,
    namespace: Option<&NamespaceOptIn>,
    routed: Option<&str>,
    settings: &AuditSettings,
) -> AuditFinding {
    let is_before = |time: Option<&str>| time.is_some_and(|time| created < time);
    if is_before(namespace.and_then(|namespace| namespace.since.as_deref())) {
        AuditFinding::CreatedBeforeOptIn
    } else if settings.policy.targets == Targets::Upstreams && is_before(routed) {
        AuditFinding::CreatedBeforeRoute
    } else {
        AuditFinding::CreatedWithoutWebhook
    }
}
