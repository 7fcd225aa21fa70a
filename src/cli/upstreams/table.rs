//! A report as tables.

use super::super::plain_table::plain_table;
use crate::upstreams::{Limit, RouteReport, ServiceReport, UpstreamReport, WorkloadReport};

/// The report as tables for people, with a legend of the limits in it.
pub(super) fn tables(report: &UpstreamReport) -> String {
    let UpstreamReport { services, workloads, routes } = report;
    let services_table = plain_table(
        ["SERVICE", "TARGET", "ROUTES", "LIMITS"],
        services.iter().map(|service| {
            let ServiceReport { namespace, name, exists, target, routes, limits } = service;
            let missing = if *exists { "" } else { " (missing)" };
            [
                format!("{namespace}/{name}{missing}"),
                <&str>::from(target).to_owned(),
                list(routes),
                list(limits),
            ]
        }),
    );
    let workloads_table = plain_table(
        ["WORKLOAD", "TARGET", "SERVICES"],
        workloads.iter().map(|workload| {
            let WorkloadReport { kind, namespace, name, target, services } = workload;
            let title = format!("{kind} {namespace}/{name}");
            [title, <&str>::from(target).to_owned(), list(services)]
        }),
    );
    let routes_table = plain_table(
        ["ROUTE", "OWNED", "WHY"],
        routes.iter().map(|route| {
            let RouteReport { kind, namespace, name, owned, why, refused, limits: _ } = route;
            let owned = if *owned { "yes" } else { "no" }.to_owned();
            let mut why = why.clone();
            for service in refused {
                why += &format!("; no ReferenceGrant lets it name {service}");
            }
            [format!("{kind} {namespace}/{name}"), owned, why]
        }),
    );
    let mut text = [services_table, workloads_table, routes_table].concat();
    let used = services.iter().flat_map(|service| &service.limits);
    let mut used: Vec<Limit> =
        used.chain(routes.iter().flat_map(|route| &route.limits)).copied().collect();
    used.sort_unstable();
    used.dedup();
    for limit in used {
        text += &format!("{}: {}\n", limit.as_str(), limit.meaning());
    }
    if text.is_empty() {
        text += "no Services, workloads or routes\n";
    }
    text
}

/// Several values in one cell.
fn list<T: ToString>(values: &[T]) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
