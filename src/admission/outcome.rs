//! What became of a Pod.

use crate::injection::Decision;

/// What became of a Pod, as in logs, metrics and audit annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It got its sleeps.
    Inject,
    /// It would have got them; in audit mode nothing is changed.
    WouldInject,
    /// It was left as it is.
    Skip,
}

impl Outcome {
    /// The outcome of a decision.
    pub const fn of(decision: &Decision<'_>, audit: bool) -> Self {
        match decision {
            Decision::Inject(_) if audit => Self::WouldInject,
            Decision::Inject(_) => Self::Inject,
            Decision::Skip(_) => Self::Skip,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inject => "inject",
            Self::WouldInject => "would_inject",
            Self::Skip => "skip",
        }
    }
}
