//! Connections that have not sent a request yet.
//!
//! Any client that reaches the port can open connections and send nothing. Where there is no slot
//! for another connection, the oldest pending one is closed: the API server connects when it has a
//! review to send, and needs milliseconds for what idle clients leave open until a timeout.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The pending connections of a listener, in the order in which they were accepted.
#[derive(Debug, Default)]
pub(super) struct PendingConnections(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    pending: BTreeMap<u64, CancellationToken>,
}

impl PendingConnections {
    /// Adds a connection.
    pub(super) fn add(self: &Arc<Self>) -> PendingConnection {
        let evicted = CancellationToken::new();
        let place = self.with(|queue| {
            queue.next += 1;
            queue.pending.insert(queue.next, evicted.clone());
            queue.next
        });
        PendingConnection { queue: self.clone(), place, evicted }
    }

    /// Tells the oldest connection to close. `false` if there is none.
    pub(super) fn evict_oldest(&self) -> bool {
        let oldest = self.with(|queue| queue.pending.pop_first());
        oldest.inspect(|(_, evicted)| evicted.cancel()).is_some()
    }

    fn with<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A pending connection. Drop it when the first request arrives.
#[derive(Debug)]
pub(super) struct PendingConnection {
    queue: Arc<PendingConnections>,
    place: u64,
    evicted: CancellationToken,
}

impl PendingConnection {
    /// Waits until the connection has to close to free its slot.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for PendingConnection {
    fn drop(&mut self) {
        self.queue.with(|queue| queue.pending.remove(&self.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_a_connection_with_a_request_stays() {
        let pending = Arc::new(PendingConnections::default());
        let [first, second, third] = [(); 3].map(|()| pending.add());
        drop(first);
        assert!(pending.evict_oldest(), "two are pending");
        let evicted = [&second, &third].map(|connection| connection.evicted.is_cancelled());
        assert_eq!(evicted, [true, false], "the second is the oldest of the two");
        assert!(pending.evict_oldest(), "the third is pending");
        assert!(!pending.evict_oldest(), "none is pending");
    }
}
