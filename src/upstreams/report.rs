//! What `apisix-prestop upstreams` says: which Services and workloads are upstreams, and why.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{
    index::UpstreamIndex,
    limit::Limit,
    object::{ObjectId, Spec},
    snapshot::Snapshot,
    string_map::StringMap,
    target::Target,
};

/// Which Services and workloads are upstreams, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UpstreamReport {
    /// The Services, in the order of their namespaces and names.
    pub services: Vec<ServiceReport>,
    /// The workloads, in the same order.
    pub workloads: Vec<WorkloadReport>,
    /// The routes, by kind, namespace and name.
    pub routes: Vec<RouteReport>,
}

/// Whether APISIX sends requests somewhere.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TargetKind {
    /// It does.
    Upstream,
    /// It does, and finds the Pods by a DNS name or a discovery.
    Indirect,
    /// It does not.
    None,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceReport {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it exists, or is only named by a route.
    pub exists: bool,
    /// Whether APISIX sends requests to it.
    pub target: TargetKind,
    /// The routes that name it.
    pub routes: Vec<String>,
    /// What no sleep cures.
    pub limits: Vec<Limit>,
}

/// A workload to report on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The labels of its Pods.
    pub labels: StringMap,
}

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadReport {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether APISIX sends requests to its Pods.
    pub target: TargetKind,
    /// The Services that select its Pods.
    pub services: Vec<String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteReport {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether APISIX programs it.
    pub owned: bool,
    /// Why.
    pub why: String,
    /// The Services of other namespaces that no ReferenceGrant lets it name.
    pub refused: Vec<String>,
    /// What no sleep cures, where no Service is known.
    pub limits: Vec<Limit>,
}

impl From<&Target> for TargetKind {
    fn from(target: &Target) -> Self {
        match target {
            Target::Upstream { is_indirect: false, .. } => Self::Upstream,
            Target::Upstream { is_indirect: true, .. } => Self::Indirect,
            Target::Unknown | Target::Service { .. } | Target::NoService => Self::None,
        }
    }
}

impl UpstreamIndex {
    /// Reports on all Services and routes, and on `workloads`.
    pub fn report(&mut self, mut workloads: Vec<Workload>) -> UpstreamReport {
        let snapshot = self.snapshot();
        workloads.sort_by(|a, b| {
            (&a.namespace, &a.kind, &a.name).cmp(&(&b.namespace, &b.kind, &b.name))
        });
        let known = self.services().map(|service| &service.id);
        let named = self.routes().flat_map(|(_, route)| &route.positions.named);
        let all: BTreeSet<_> = named.map(|position| &position.service).chain(known).collect();
        UpstreamReport {
            services: all.into_iter().map(|id| self.service_report(id)).collect(),
            workloads: workloads.iter().map(|it| self.workload_report(it, &snapshot)).collect(),
            routes: self.route_reports(),
        }
    }

    fn service_report(&self, id: &ObjectId) -> ServiceReport {
        let mut routes = BTreeSet::new();
        let mut target = TargetKind::None;
        for (route, position) in self.positions_of(id) {
            routes.insert(self.rule(route, position).to_string());
            let kind =
                if position.is_indirect { TargetKind::Indirect } else { TargetKind::Upstream };
            target = target.min(kind);
        }
        let service = self.object(id);
        let limits = match service {
            Some(service) => self.service_limits(service),
            None => self.positions_of(id).flat_map(|(_, it)| it.limits.clone()).collect(),
        };
        ServiceReport {
            namespace: id.namespace.to_string(),
            name: id.name.to_string(),
            exists: service.is_some(),
            target,
            routes: routes.into_iter().collect(),
            limits: limits.into_iter().collect(),
        }
    }

    fn workload_report(&self, workload: &Workload, snapshot: &Snapshot) -> WorkloadReport {
        let Workload { kind, namespace, name, labels } = workload;
        let services = self.services().filter(|service| *service.id.namespace == **namespace);
        let selecting = services.filter(|service| match &service.spec {
            Spec::Service(spec) => spec.selector().is_some_and(|selector| {
                selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            }),
            _ => false,
        });
        WorkloadReport {
            kind: kind.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
            target: TargetKind::from(&snapshot.target(namespace, labels.iter())),
            services: selecting.map(|service| service.id.name.to_string()).collect(),
        }
    }

    fn route_reports(&self) -> Vec<RouteReport> {
        let reports = self.routes().map(|(id, route)| {
            let mut why: Vec<_> = match route.ownership.iter().find(|(_, it)| it.is_owned()) {
                Some((_, ownership)) => vec![ownership.to_string()],
                None => route.ownership.iter().map(|(_, it)| it.to_string()).collect(),
            };
            why.dedup();
            let ObjectId { kind, namespace, name } = id;
            RouteReport {
                kind: kind.as_str(),
                namespace: namespace.to_string(),
                name: name.to_string(),
                owned: route.is_owned(),
                why: why.join("; "),
                refused: route.positions.refused.iter().map(|it| it.to_string()).collect(),
                limits: route.positions.limits.clone(),
            }
        });
        reports.collect()
    }
}
