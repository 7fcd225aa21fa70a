//! What is read of a Pod beside what decides about it.

use serde::{Deserialize, de::IgnoredAny};

use crate::protection::PodLife;

/// What is read of a Pod beside what decides about it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PodText {
    metadata: PodMetadata,
    status: Option<PodStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodMetadata {
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<IgnoredAny>,
    deletion_grace_period_seconds: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: Option<String>,
    reason: Option<String>,
}

impl PodText {
    /// When it was created.
    pub(super) fn created(&self) -> &str {
        self.metadata.creation_timestamp.as_deref().unwrap_or_default()
    }

    /// What happens to it.
    pub(super) fn life(&self) -> PodLife {
        let status = self.status.as_ref();
        let phase = status.and_then(|status| status.phase.as_deref());
        let reason = status.and_then(|status| status.reason.as_deref());
        match (phase, reason) {
            (Some("Failed"), Some("Evicted")) => PodLife::Evicted,
            (Some("Succeeded" | "Failed"), _) => PodLife::Ended,
            _ if self.metadata.deletion_timestamp.is_some() => {
                let grace = self.metadata.deletion_grace_period_seconds;
                PodLife::Stopping(grace.unwrap_or(i64::MAX))
            }
            _ => PodLife::Running,
        }
    }
}
