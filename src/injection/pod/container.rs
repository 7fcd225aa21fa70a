//! The fields of a container that the decision reads.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use super::{Bounded, ExistingHook, Port, SecurityContext, Word};
use crate::constants::{MAX_LABEL_BYTES, MAX_PORTS};

/// The fields of a container that the decision reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    /// Its name. The API server checks only later that it is unique in the Pod.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its hooks and stop signal.
    #[serde(borrow, default)]
    pub lifecycle: Option<Lifecycle<'a>>,
    /// `Always` makes a native sidecar of an init container.
    #[serde(borrow, default)]
    pub restart_policy: Option<Word<'a>>,
    /// The security options of the container.
    #[serde(default)]
    pub security_context: Option<SecurityContext>,
    /// The ports that it names. It may listen on others.
    #[serde(borrow, default)]
    pub ports: Bounded<ContainerPort<'a>, MAX_PORTS>,
    /// The probe that restarts the container when it fails.
    #[serde(default)]
    pub liveness_probe: Option<Probe>,
    /// The same until it succeeds for the first time.
    #[serde(default)]
    pub startup_probe: Option<Probe>,
}

impl Container<'_> {
    pub(super) fn is_too_large(&self) -> bool {
        let hook = self.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        self.name.len() > MAX_LABEL_BYTES
            || self.ports.is_cut()
            || hook.and_then(|hook| hook.exec.as_ref()).is_some_and(|exec| exec.command.is_cut())
    }

    /// The port that an HTTP hook of this container calls in the Pod.
    pub(in crate::injection) fn called_port(&self) -> Option<i64> {
        let request = self.lifecycle.as_ref()?.pre_stop.as_ref()?.http_get.as_ref()?;
        match &request.port {
            _ if request.host.as_ref().is_some_and(|host| !host.0.is_empty()) => None,
            Port::Number(number) => Some(*number),
            Port::Name(name) => {
                let is_named = |port: &&ContainerPort<'_>| {
                    port.name.as_ref().is_some_and(|port| port.0 == *name)
                };
                self.ports
                    .iter()
                    .find(is_named)
                    .map(|port| port.container_port)
                    .or_else(|| name.parse().ok())
            }
        }
    }

    /// Whether it names the port.
    pub(in crate::injection) fn has_port(&self, number: i64) -> bool {
        self.ports.iter().any(|port| port.container_port == number)
    }

    /// The shortest grace period of its own that a probe has, and the name of the probe.
    pub(in crate::injection) fn probe_grace(&self) -> Option<(&'static str, i64)> {
        let probes =
            [("livenessProbe", &self.liveness_probe), ("startupProbe", &self.startup_probe)];
        let graces = probes.into_iter().filter_map(|(name, probe)| {
            Some((name, probe.as_ref()?.termination_grace_period_seconds?))
        });
        graces.min_by_key(|(_, grace)| *grace)
    }
}

/// A port of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort<'a> {
    /// Its number.
    pub container_port: i64,
    /// Its name, if it has one.
    #[serde(borrow)]
    pub name: Option<Word<'a>>,
}

/// The fields of a probe that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe {
    /// Replaces the grace period of the Pod when the probe fails (KEP-2238).
    pub termination_grace_period_seconds: Option<i64>,
}

/// The fields of a container's lifecycle that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Lifecycle<'a> {
    /// The preStop hook.
    #[serde(borrow)]
    pub pre_stop: Option<ExistingHook<'a>>,
    /// Whether there is a postStart hook.
    pub post_start: Option<IgnoredAny>,
    /// Whether there is a stop signal.
    pub stop_signal: Option<IgnoredAny>,
}

impl Lifecycle<'_> {
    /// Whether there is anything but the preStop hook.
    pub(in crate::injection) fn has_more(&self) -> bool {
        self.post_start.is_some() || self.stop_signal.is_some()
    }
}
