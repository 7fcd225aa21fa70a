//! Between which bounds a delay stays.

use std::fmt;

use crate::units::Delay;

/// Between which bounds a delay stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayRange {
    /// The shortest.
    pub min: Delay,
    /// The longest. It holds also where it is below `min`.
    pub max: Delay,
}

impl DelayRange {
    /// The nearest delay in the range.
    pub fn clamp(self, delay: Delay) -> Delay {
        delay.max(self.min).min(self.max)
    }
}

/// `5s to 20s`.
impl fmt::Display for DelayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}
