//! A report for programs: `docs/check.schema.json`.

use std::io;

use serde::Serialize;

use crate::preflight::{CheckResult, CheckSection, CheckStatus, PreflightReport};

#[derive(Serialize)]
struct JsonReport<'a> {
    version: &'static str,
    status: CheckStatus,
    checks: Vec<JsonCheck<'a>>,
}

#[derive(Serialize)]
struct JsonCheck<'a> {
    section: CheckSection,
    #[serde(flatten)]
    result: &'a CheckResult,
    runbook: String,
}

pub(super) fn json(report: &PreflightReport) -> io::Result<String> {
    let checks = report.checks.iter().map(|result| JsonCheck {
        section: result.id.section(),
        result,
        runbook: super::text::runbook(result),
    });
    let report = JsonReport {
        version: env!("CARGO_PKG_VERSION"),
        status: report.status(),
        checks: checks.collect(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
