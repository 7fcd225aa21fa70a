//! The result of a check.

use serde::Serialize;

use super::check_id::CheckId;
use crate::constants::MAX_CHECK_MESSAGE_CHARS;

/// How a check ended, from the one that says the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Not checked: something that it needs is missing.
    Skipped,
    /// As it should be.
    Pass,
    /// Works, or could not be read; somebody should look.
    Warning,
    /// Does not work.
    Failure,
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// What was checked.
    pub id: CheckId,
    /// How it ended.
    pub status: CheckStatus,
    /// What was found.
    pub message: String,
    /// A command that helps.
    pub hint: Option<String>,
}

impl CheckId {
    pub(super) fn pass(self, message: impl Into<String>) -> CheckResult {
        self.result(CheckStatus::Pass, message.into())
    }

    pub(super) fn skip(self, message: impl Into<String>) -> CheckResult {
        self.result(CheckStatus::Skipped, message.into())
    }

    pub(super) fn warn(self, message: impl Into<String>) -> CheckResult {
        self.result(CheckStatus::Warning, message.into())
    }

    pub(super) fn fail(self, message: impl Into<String>) -> CheckResult {
        self.result(CheckStatus::Failure, message.into())
    }

    /// Messages quote what the cluster says, which may be long.
    fn result(self, status: CheckStatus, mut message: String) -> CheckResult {
        if let Some((end, _)) = message.char_indices().nth(MAX_CHECK_MESSAGE_CHARS) {
            message.truncate(end);
            message.push('…');
        }
        CheckResult { id: self, status, message, hint: None }
    }
}

impl CheckResult {
    /// What passes needs no help.
    pub(super) fn hint(self, command: impl Into<String>) -> Self {
        let hint = (self.status != CheckStatus::Pass).then(|| command.into());
        Self { hint, ..self }
    }
}
