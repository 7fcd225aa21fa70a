//! Adds up what is found of many Pods.

use std::collections::BTreeMap;

use super::{
    finding::{AuditFinding, Protection},
    place::WorkloadPlace,
    pod::{AuditSettings, AuditedPod, PodLife},
    replication::{Budget, Replication},
    report::{AuditReport, AuditSummary, FoundLimit, FoundProblem, WorkloadAudit},
};
use crate::upstreams::{Limit, ObjectId, Snapshot, StringMap, Target};

/// Adds up what is found of many Pods. Keeps what is said of a workload, and nothing of its Pods.
#[derive(Debug, Default)]
pub struct ProtectionAudit {
    settings: AuditSettings,
    workloads: BTreeMap<WorkloadPlace, AuditedWorkload>,
    others: usize,
    protected: usize,
    short: usize,
    unprotected: usize,
}

/// What is found of a workload.
#[derive(Debug)]
struct AuditedWorkload {
    pods: usize,
    protection: Protection,
    target: Target,
    location: Option<String>,
    findings: BTreeMap<AuditFinding, usize>,
    labels: StringMap,
}

impl ProtectionAudit {
    /// An audit that compares with `settings`.
    pub fn new(settings: AuditSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What it compares with.
    pub const fn settings(&self) -> &AuditSettings {
        &self.settings
    }

    /// Adds a Pod, or a template, to which `target` sends requests.
    pub fn add(
        &mut self,
        place: WorkloadPlace,
        pod: &AuditedPod<'_, '_>,
        target: Target,
        location: Option<String>,
    ) {
        if pod.life == PodLife::Ended {
            return;
        }
        if !matches!(target, Target::Upstream { .. }) {
            self.others += 1;
            return;
        }
        let findings = pod.findings(&self.settings);
        let is_running = pod.life == PodLife::Running;
        if !is_running && pod.life != PodLife::Template && findings.is_empty() {
            return;
        }
        let protection = findings.iter().map(|finding| finding.name().protection()).min();
        let protection = protection.unwrap_or(Protection::Protected);
        let labels = pod.pod.metadata.iter().flat_map(|metadata| metadata.labels.iter());
        let workload = self.workloads.entry(place).or_insert_with(|| AuditedWorkload {
            pods: 0,
            protection,
            target,
            location,
            findings: BTreeMap::new(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        });
        workload.protection = workload.protection.min(protection);
        workload.pods += usize::from(is_running);
        for finding in findings {
            *workload.findings.entry(finding).or_default() +=
                usize::from(pod.life != PodLife::Template);
        }
        if is_running {
            *match protection {
                Protection::Protected => &mut self.protected,
                Protection::Short => &mut self.short,
                Protection::Unprotected => &mut self.unprotected,
            } += 1;
        }
    }

    /// Adds how a workload replaces its Pods. Its Pods come first.
    pub fn replicate(
        &mut self,
        namespace: &str,
        kind: &str,
        name: &str,
        replication: &Replication,
    ) {
        let first = WorkloadPlace::new(namespace, kind, name, "");
        let is_of_it = |place: &WorkloadPlace| {
            (&*place.namespace, &*place.kind, &*place.name) == (namespace, kind, name)
        };
        let revisions = self.workloads.range_mut(first..);
        for (_, workload) in revisions.take_while(|(place, _)| is_of_it(place)) {
            workload.findings.extend(replication.findings().into_iter().map(|it| (it, 0)));
        }
    }

    /// Adds a PodDisruptionBudget. The Pods come first.
    pub fn budget(&mut self, namespace: &str, budget: &Budget) {
        let first = WorkloadPlace::new(namespace, "", "", "");
        let of_namespace = self.workloads.range_mut(first..);
        for (_, workload) in of_namespace.take_while(|(place, _)| place.namespace == namespace) {
            if budget.selector.selects(&workload.labels) {
                let replicas = i64::try_from(workload.pods).unwrap_or(i64::MAX);
                workload.findings.extend(budget.finding(replicas.max(1)).map(|it| (it, 0)));
            }
        }
    }

    /// What it comes to. `namespaces` are those whose Services and routes count, and `unread` is what
    /// could not be read.
    pub fn report<'n>(
        self,
        snapshot: &Snapshot,
        namespaces: impl Iterator<Item = &'n str>,
        unread: Vec<String>,
    ) -> AuditReport {
        let workloads: Vec<_> = self.workloads.into_iter().map(workload_audit).collect();
        let limits = namespaces.flat_map(|namespace| snapshot.limits(namespace));
        AuditReport {
            summary: AuditSummary {
                workloads: workloads.len(),
                pods: self.protected + self.short + self.unprotected,
                protected: self.protected,
                short: self.short,
                unprotected: self.unprotected,
                others: self.others,
            },
            workloads,
            limits: limits.map(found_limit).collect(),
            unread,
        }
    }
}

fn workload_audit((place, workload): (WorkloadPlace, AuditedWorkload)) -> WorkloadAudit {
    let mut findings: Vec<_> = workload.findings.into_iter().collect();
    findings.sort_by_key(|(finding, _)| finding.name().protection());
    let found = |(finding, pods): (AuditFinding, usize)| FoundProblem {
        finding: finding.name(),
        pods,
        meaning: finding.to_string(),
        command: finding.command(&place),
    };
    let findings = findings.into_iter().map(found).collect();
    WorkloadAudit {
        pods: workload.pods,
        protection: workload.protection,
        target: workload.target.to_string(),
        findings,
        location: workload.location,
        place,
    }
}

fn found_limit((object, limit): &(ObjectId, Limit)) -> FoundLimit {
    FoundLimit {
        namespace: object.namespace.to_string(),
        kind: object.kind.as_str(),
        name: object.name.to_string(),
        limit: *limit,
        meaning: limit.meaning(),
    }
}
