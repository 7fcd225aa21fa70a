//! An audit as Markdown.

use super::table::total;
use crate::{
    manifests::printable,
    protection::{AuditReport, FoundProblem, WorkloadAudit},
};

/// A table with a row for each finding, and how many Pods there are.
pub(super) fn report(report: &AuditReport) -> String {
    let AuditReport { summary, workloads, limits, unread } = report;
    let mut text =
        "| namespace | workload | protection | finding | try |\n|---|---|---|---|---|\n".to_owned();
    for WorkloadAudit { place, protection, findings, .. } in workloads {
        let start = format!("| {} | {place} | {} |", place.namespace, <&str>::from(protection));
        if findings.is_empty() {
            text += &format!("{start} | |\n");
        }
        for FoundProblem { meaning, command, .. } in findings {
            text += &format!("{start} {} | `{}` |\n", cell(meaning), cell(command));
        }
    }
    for limit in limits {
        let place = format!("{} {}", limit.kind, limit.name);
        text += &format!("| {} | {} | | {} | |\n", limit.namespace, cell(&place), limit.meaning);
    }
    for unread in unread {
        text += &format!("\nNot read: {}\n", cell(unread));
    }
    text += &format!("\n{}\n", total(summary, workloads));
    text
}

/// A text that ends neither the cell nor the code in it.
fn cell(text: &str) -> String {
    printable(text).replace('|', "\\|").replace('`', "'")
}
