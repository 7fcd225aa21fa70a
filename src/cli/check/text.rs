//! A report for people.

use crate::{
    manifests::printable,
    preflight::{CheckResult, CheckStatus, PreflightReport},
};

const RESET: &str = "\u{1b}[0m";

/// The page and the section that say what to do.
pub(super) fn runbook(result: &CheckResult) -> String {
    format!("docs/runbooks.md#{}", result.id.as_str())
}

/// The report by sections, as those who know linkerd expect it.
pub(super) fn text(report: &PreflightReport, has_colors: bool) -> String {
    let mut text = String::new();
    let mut last = None;
    for result in &report.checks {
        let section = result.id.section();
        if last.replace(section) != Some(section) {
            let line = "-".repeat(section.title().len());
            let space = if text.is_empty() { "" } else { "\n" };
            text += &format!("{space}{}\n{line}\n", section.title());
        }
        text += &format!("{} {}\n", sign(result.status, has_colors), printable(&result.message));
        if matches!(result.status, CheckStatus::Warning | CheckStatus::Failure) {
            if let Some(hint) = &result.hint {
                text += &format!("    try: {}\n", printable(hint));
            }
            text += &format!("    see {}\n", runbook(result));
        }
    }
    text + &format!("\nStatus check results are {}\n", sign(report.status(), has_colors))
}

fn sign(status: CheckStatus, has_colors: bool) -> String {
    let (sign, color) = match status {
        CheckStatus::Pass => ("✓", "\u{1b}[32m"),
        CheckStatus::Skipped => ("-", ""),
        CheckStatus::Warning => ("‼", "\u{1b}[33m"),
        CheckStatus::Failure => ("✗", "\u{1b}[31m"),
    };
    if has_colors && !color.is_empty() { format!("{color}{sign}{RESET}") } else { sign.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::CheckId;

    fn result(id: CheckId, status: CheckStatus, message: &str, hint: Option<&str>) -> CheckResult {
        CheckResult { id, status, message: message.to_owned(), hint: hint.map(str::to_owned) }
    }

    fn report() -> PreflightReport {
        let checks = vec![
            result(CheckId::ApiServerVersion, CheckStatus::Pass, "it is v1.36.0", None),
            result(
                CheckId::NativeSleep,
                CheckStatus::Warning,
                "an old one",
                Some("kubectl get nodes"),
            ),
            result(CheckId::DryRun, CheckStatus::Failure, "no hook\u{1b}[31m\nfake", None),
            result(CheckId::DryRun, CheckStatus::Skipped, "not checked", Some("never shown")),
        ];
        PreflightReport { checks }
    }

    #[test]
    fn each_line_has_a_sign_and_each_fault_a_hint() {
        let expected = "\
Kubernetes API
--------------
✓ it is v1.36.0
‼ an old one
    try: kubectl get nodes
    see docs/runbooks.md#native_sleep

Dry run
-------
✗ no hook\u{fffd}[31m\u{fffd}fake
    see docs/runbooks.md#dry_run
- not checked

Status check results are ✗
";
        assert_eq!(text(&report(), false), expected);
    }

    #[test]
    fn only_the_signs_have_colors() {
        let colored = text(&report(), true);
        for sign in
            ["\u{1b}[32m✓\u{1b}[0m it", "\u{1b}[33m‼\u{1b}[0m an", "\u{1b}[31m✗\u{1b}[0m no"]
        {
            assert!(colored.contains(sign), "{sign:?} has to be in {colored:?}");
        }
        let plain = ["\u{1b}[32m", "\u{1b}[33m", "\u{1b}[31m", RESET];
        let plain = plain.iter().fold(colored, |text, code| text.replace(code, ""));
        assert_eq!(plain, text(&report(), false));
    }
}
