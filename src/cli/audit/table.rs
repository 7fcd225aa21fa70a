//! An audit for people.

use super::super::plain_table::plain_table;
use crate::{
    manifests::printable,
    protection::{AuditReport, AuditSummary, ExplainedStep, FoundProblem, WorkloadAudit},
};

/// The report: a table, what to type for each finding, and how many Pods there are.
pub(super) fn report(report: &AuditReport, is_wide: bool) -> String {
    let AuditReport { summary, workloads, limits, unread } = report;
    let pods = |workload: &WorkloadAudit| match workload.location {
        Some(_) => "-".to_owned(),
        None => workload.pods.to_string(),
    };
    let mut text = if is_wide {
        let header =
            ["NAMESPACE", "WORKLOAD", "REVISION", "PODS", "PROTECTION", "FINDINGS", "TARGET"];
        plain_table(
            header,
            workloads.iter().map(|workload| {
                let WorkloadAudit { place, protection, target, .. } = workload;
                [
                    place.namespace.clone(),
                    place.to_string(),
                    or_dash(place.revision.clone()),
                    pods(workload),
                    <&str>::from(protection).to_owned(),
                    findings(workload),
                    target.clone(),
                ]
            }),
        )
    } else {
        plain_table(
            ["NAMESPACE", "WORKLOAD", "PODS", "PROTECTION", "FINDINGS"],
            workloads.iter().map(|workload| {
                let WorkloadAudit { place, protection, .. } = workload;
                [
                    place.namespace.clone(),
                    place.to_string(),
                    pods(workload),
                    <&str>::from(protection).to_owned(),
                    findings(workload),
                ]
            }),
        )
    };
    for workload in workloads {
        let WorkloadAudit { place, findings, location, .. } = workload;
        let location = location.iter().map(|location| format!("{location}: ")).collect::<String>();
        for FoundProblem { pods, meaning, command, .. } in findings {
            let pods = match pods {
                0 => String::new(),
                1 => " (1 Pod)".to_owned(),
                pods => format!(" ({pods} Pods)"),
            };
            let title = format!("{location}{} {place}: {meaning}{pods}", place.namespace);
            text += &format!("{}\n    {}\n", printable(&title), printable(command));
        }
    }
    for limit in limits {
        let title = format!("{} {} {}", limit.namespace, limit.kind, limit.name);
        text += &format!("{}: {}\n", printable(&title), limit.meaning);
    }
    for unread in unread {
        text += &format!("not read: {}\n", printable(unread));
    }
    text += &format!("{}\n", total(summary, workloads));
    text
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

fn findings(workload: &WorkloadAudit) -> String {
    let mut names: Vec<_> = workload.findings.iter().map(|it| it.finding.as_str()).collect();
    names.dedup();
    or_dash(names.join(", "))
}

/// The last line.
pub(super) fn total(summary: &AuditSummary, workloads: &[WorkloadAudit]) -> String {
    let AuditSummary { pods, protected, short, unprotected, others, .. } = summary;
    let number = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let workload_count = number(workloads.len(), "workload");
    if workloads.iter().any(|workload| workload.location.is_some()) {
        return format!("{workload_count} to which APISIX sends requests");
    }
    format!(
        "{} of {workload_count} get requests from APISIX: {protected} protected, {short} short, \
         {unprotected} unprotected; {others} others do not",
        number(*pods, "Pod")
    )
}

/// The reasoning about a Pod, a line for each step.
pub(super) fn explanation(steps: &[ExplainedStep]) -> String {
    let width = steps.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    let lines = steps.iter().map(|(label, text)| format!("{label:width$}  {}\n", printable(text)));
    lines.collect()
}
