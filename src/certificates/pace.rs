//! Keeps the writes of a replica apart, whatever others do to what it writes.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::jittered;

/// When the next write may be.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// Two writes are `interval` apart, or up to half of it more: two replicas that undo each
    /// other's writes do not keep in step.
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next: Instant::now() }
    }

    /// A write was made.
    pub(super) fn wrote(&mut self) {
        self.next = Instant::now() + self.interval + jittered(self.interval / 4);
    }

    /// The time of the next write.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_write_is_at_once_and_the_next_one_later() {
        let interval = Duration::from_secs(1);
        let mut pace = Pace::new(interval);
        let mut waits = Vec::new();
        for _ in 0..50 {
            let start = Instant::now();
            tokio::time::sleep_until(pace.next()).await;
            waits.push(start.elapsed());
            pace.wrote();
        }
        assert_eq!(waits[0], Duration::ZERO, "{waits:?}");
        let others = &waits[1..];
        assert!(others.iter().all(|wait| (interval..=2 * interval).contains(wait)), "{waits:?}");
        assert!(others.iter().any(|wait| *wait != others[0]), "{waits:?}");
    }
}
