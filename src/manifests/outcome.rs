//! The outcome for a Pod or a Pod template.

use json_patch::Patch;

/// The outcome for a Pod or a Pod template.
#[derive(Debug, Default)]
pub(super) struct TemplateOutcome {
    /// One line for the report.
    pub(super) summary: String,
    /// The patch, relative to the object. It is empty if nothing changes.
    pub(super) patch: Patch,
    /// What the author should know.
    pub(super) notices: Vec<String>,
}
