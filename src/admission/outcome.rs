//! What a response says.

use clap::ValueEnum;
use strum::IntoStaticStr;

use crate::injection::Decision;

/// What the webhook does with a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Change Pods
    #[default]
    Enforce,
    /// Change nothing: only log and count the decisions, as `would_inject`
    Observe,
}

/// What a response says, as in logs, metrics and audit annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// Add the sleeps.
    Inject,
    /// Change nothing, although the Pod needs sleeps: the webhook only observes.
    WouldInject,
    /// Change nothing.
    Skip,
}

impl Outcome {
    /// The outcome of a decision.
    pub const fn of(decision: &Decision<'_>, mode: Mode) -> Self {
        match (decision, mode) {
            (Decision::Inject(_), Mode::Enforce) => Self::Inject,
            (Decision::Inject(_), Mode::Observe) => Self::WouldInject,
            (Decision::Skip(_), _) => Self::Skip,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
