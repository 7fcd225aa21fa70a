//! How many Pods a workload keeps while some of them stop.

use serde::Deserialize;

use super::finding::AuditFinding;
use crate::upstreams::LabelSelector;

/// How many Pods a workload has, and how it replaces them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// How many Pods it asks for. `None` where each node has one.
    pub replicas: Option<i64>,
    /// Whether a rollout stops all Pods before it starts others.
    pub recreates: bool,
    /// How many Pods a rollout may take away.
    pub max_unavailable: Option<ReplicaAmount>,
}

/// A number of Pods, or a share of them, as `maxUnavailable` has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ReplicaAmount {
    /// So many.
    Number(i64),
    /// A share, such as `25%`.
    Percent(String),
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// The Pods that it is about.
    pub selector: LabelSelector,
    /// How many may be evicted at a time.
    pub max_unavailable: Option<ReplicaAmount>,
    /// How many have to stay.
    pub min_available: Option<ReplicaAmount>,
}

impl ReplicaAmount {
    /// Whether it is all of them. Above half, Kubernetes rounds up.
    fn is_all(&self, replicas: i64) -> bool {
        match self {
            Self::Number(number) => *number >= replicas,
            Self::Percent(share) => percent(share).is_some_and(|share| share >= 100),
        }
    }

    fn is_none(&self) -> bool {
        match self {
            Self::Number(number) => *number <= 0,
            Self::Percent(share) => percent(share) == Some(0),
        }
    }
}

fn percent(share: &str) -> Option<i64> {
    share.strip_suffix('%')?.parse().ok()
}

impl Replication {
    /// Reads it from the JSON of a Deployment, a StatefulSet or a DaemonSet. What cannot be read is as
    /// if it were not there.
    pub fn read(text: &str) -> Self {
        let WorkloadText { spec } = serde_json::from_str(text).unwrap_or_default();
        let strategy = spec.strategy.or(spec.update_strategy).unwrap_or_default();
        Self {
            replicas: spec.replicas,
            recreates: strategy.kind.as_deref() == Some("Recreate"),
            max_unavailable: strategy.rolling_update.and_then(|update| update.max_unavailable),
        }
    }

    /// What there is to say about it.
    pub(super) fn findings(&self) -> Vec<AuditFinding> {
        let mut found = Vec::new();
        let replicas = self.replicas.unwrap_or(i64::MAX);
        if replicas == 1 {
            found.push(AuditFinding::SingleReplica);
        }
        let takes_all = self.max_unavailable.as_ref().is_some_and(|max| max.is_all(replicas));
        if self.recreates || takes_all {
            found.push(AuditFinding::AllAtOnce);
        }
        found
    }
}

impl Budget {
    /// Reads the PodDisruptionBudget `name` from its JSON. One without a selector is about no Pod.
    pub fn read(name: &str, text: &str) -> Option<Self> {
        let BudgetText { spec } = serde_json::from_str(text).ok()?;
        let BudgetSpec { selector, max_unavailable, min_available } = spec;
        Some(Self { name: name.to_owned(), selector: selector?, max_unavailable, min_available })
    }

    /// Whether it lets all Pods of a workload be evicted at once.
    pub(super) fn finding(&self, replicas: i64) -> Option<AuditFinding> {
        let allows_all = self.max_unavailable.as_ref().is_some_and(|max| max.is_all(replicas));
        let needs_none = self.min_available.as_ref().is_some_and(ReplicaAmount::is_none);
        let budget = self.name.clone();
        (allows_all || needs_none).then_some(AuditFinding::BudgetWithoutEffect { budget })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorkloadText {
    spec: WorkloadSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadSpec {
    replicas: Option<i64>,
    strategy: Option<Strategy>,
    update_strategy: Option<Strategy>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    #[serde(rename = "type")]
    kind: Option<String>,
    rolling_update: Option<RollingUpdate>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RollingUpdate {
    max_unavailable: Option<ReplicaAmount>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BudgetText {
    spec: BudgetSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BudgetSpec {
    selector: Option<LabelSelector>,
    max_unavailable: Option<ReplicaAmount>,
    min_available: Option<ReplicaAmount>,
}
