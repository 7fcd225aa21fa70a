//! Keeps a flood out of the log.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// Most lines of a second.
const LINES: u64 = 10;

/// Lets a few lines through in each second.
#[derive(Debug)]
pub(super) struct LineLimit {
    start: Instant,
    second: AtomicU64,
    lines: AtomicU64,
}

impl LineLimit {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), second: AtomicU64::new(0), lines: AtomicU64::new(0) }
    }

    /// Whether a line may be written, and how many were left out before it.
    pub(super) fn take(&self) -> Option<u64> {
        self.take_at(self.start.elapsed().as_secs())
    }

    fn take_at(&self, second: u64) -> Option<u64> {
        let mut left_out = 0;
        if self.second.swap(second, Relaxed) != second {
            left_out = self.lines.swap(0, Relaxed).saturating_sub(LINES);
        }
        (self.lines.fetch_add(1, Relaxed) < LINES).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_a_few_lines_in_each_second_and_their_number() {
        let limit = LineLimit::new();
        let take =
            |second, times| (0..times).filter_map(|_| limit.take_at(second)).collect::<Vec<_>>();
        assert_eq!(take(0, 3), [0; 3]);
        assert_eq!(take(1, 1000), [0; 10]);
        assert_eq!(take(7, 2), [990, 0], "the first line names what was left out");
    }
}
