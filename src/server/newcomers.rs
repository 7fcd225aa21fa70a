//! The connections that have not sent a request yet.
//!
//! Whoever reaches the port can open connections and say nothing. So a connection counts as a
//! newcomer until its first request is there, and where there is no room for another, the
//! oldest newcomer goes: the API server dials when it has a review to send, and needs
//! milliseconds for what others leave open until they are cut off.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The newcomers of a listener, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

impl Newcomers {
    /// One more.
    pub(super) fn enter(self: &Arc<Self>) -> Newcomer {
        let leave = CancellationToken::new();
        let place = self.with(|queue| {
            queue.next += 1;
            queue.waiting.insert(queue.next, leave.clone());
            queue.next
        });
        Newcomer { queue: self.clone(), place, leave }
    }

    /// Sends the oldest away. `false` if there is none.
    pub(super) fn evict(&self) -> bool {
        let oldest = self.with(|queue| queue.waiting.pop_first());
        oldest.inspect(|(_, leave)| leave.cancel()).is_some()
    }

    fn with<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A newcomer. It is one no more when this is dropped.
#[derive(Debug)]
pub(super) struct Newcomer {
    queue: Arc<Newcomers>,
    place: u64,
    leave: CancellationToken,
}

impl Newcomer {
    /// Ends when it has to make room for another.
    pub(super) async fn evicted(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.queue.with(|queue| queue.waiting.remove(&self.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_who_has_sent_a_request_stays() {
        let newcomers = Arc::new(Newcomers::default());
        let [first, second, third] = [(); 3].map(|()| newcomers.enter());
        drop(first);
        assert!(newcomers.evict(), "there are two");
        assert!(second.leave.is_cancelled() && !third.leave.is_cancelled(), "the second is oldest");
        assert!(newcomers.evict(), "the third is left");
        assert!(!newcomers.evict(), "nobody is left");
    }
}
