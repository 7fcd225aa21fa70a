//! An audit as SARIF 2.1.0, which code scanning shows beside the lines of a manifest.

use serde::Serialize;
use serde_json::{Value, json};
use strum::VariantArray;

use crate::protection::{AuditFindingName, AuditReport, Protection, WorkloadAudit};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: AuditFindingName,
    level: &'static str,
    message: Value,
    locations: Vec<Value>,
}

/// The report.
///
/// # Errors
/// Never: it is all text.
pub(super) fn report(report: &AuditReport) -> Result<String, serde_json::Error> {
    let rules = AuditFindingName::VARIANTS.iter().map(|name| {
        let level = level(*name);
        json!({"id": name.as_str(), "defaultConfiguration": {"level": level}})
    });
    let results = report.workloads.iter().flat_map(|workload| {
        workload.findings.iter().map(move |found| SarifResult {
            rule_id: found.finding,
            level: level(found.finding),
            message: json!({"text": format!("{}: {}. Try: {}", workload.place, found.meaning, found.command)}),
            locations: vec![location(workload)],
        })
    });
    let driver = json!({
        "name": "apisix-prestop",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules.collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results.collect::<Vec<_>>()}],
    }))
}

const fn level(name: AuditFindingName) -> &'static str {
    match name.protection() {
        Protection::Unprotected => "error",
        Protection::Short => "warning",
        Protection::Protected => "note",
    }
}

/// A line of a file, or the workload of a cluster.
fn location(workload: &WorkloadAudit) -> Value {
    let place = workload.location.as_deref().and_then(|place| place.rsplit_once(':'));
    match place.and_then(|(file, line)| Some((file, line.parse::<u64>().ok()?))) {
        Some((file, line)) => json!({"physicalLocation": {
            "artifactLocation": {"uri": file},
            "region": {"startLine": line},
        }}),
        None => {
            let name = format!("{}/{}", workload.place.namespace, workload.place);
            json!({"logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]})
        }
    }
}
