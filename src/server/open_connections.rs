//! The open connections of a listener, and which of them gives way to another.
//!
//! Any client that reaches the port can open connections and hold them. Where there is no slot for
//! another, one is closed: the API server connects when it has a review to send. Two rules decide
//! which one:
//!
//! - A connection without a request goes before one that has had a request. Of the latter, the one
//!   goes first whose last answered review is the longest ago: a slow body or an answer that
//!   nobody reads does not count as work.
//! - Of each kind, the source with the most connections loses one, so that no source takes the
//!   slots of another.
//!
//! A connection that has worked within the last second does not give way to one of its own source.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use super::connection_metrics::{ConnectionMetrics, Lost};

/// How long a connection counts as at work after an answered review, in milliseconds.
const AT_WORK_MILLIS: u64 = 1000;

/// The open connections of a listener.
#[derive(Debug)]
pub(super) struct OpenConnections {
    most: usize,
    start: Instant,
    accepted: AtomicU64,
    /// In the order in which they were accepted.
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    metrics: ConnectionMetrics,
}

#[derive(Debug)]
struct Connection {
    source: IpAddr,
    /// When it last worked, in milliseconds after the start and never zero. Zero without a request.
    worked: AtomicU64,
    evicted: CancellationToken,
}

/// What decides which connection gives way.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: u64,
    source: IpAddr,
    /// How long it has not worked, in milliseconds. `None` without a request.
    idle: Option<u64>,
}

impl OpenConnections {
    pub(super) fn new(most: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        let (start, accepted) = (Instant::now(), AtomicU64::new(0));
        Arc::new(Self { most, start, accepted, open: Mutex::default(), metrics })
    }

    /// Adds a connection from `peer`, in place of another if there is no slot left. `None` if all
    /// of its source are at work.
    pub(super) fn add(self: &Arc<Self>, peer: IpAddr) -> Option<OpenConnection> {
        let source = source(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.most {
            let Some(evicted) = self.gives_way(&open, Some(source)).and_then(|id| open.remove(&id))
            else {
                self.metrics.lose(Lost::Refused);
                return None;
            };
            self.metrics.lose(Lost::Evicted);
            evicted.evicted.cancel();
        }
        let connection = Arc::new(Connection {
            source,
            worked: AtomicU64::new(0),
            evicted: CancellationToken::new(),
        });
        let id = self.accepted.fetch_add(1, Relaxed);
        open.insert(id, connection.clone());
        self.metrics.open.inc();
        Some(OpenConnection { list: self.clone(), id, connection })
    }

    /// Whether the next connection takes the place of another.
    pub(super) fn is_full(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len() >= self.most
    }

    /// Closes a connection, to have its descriptor back.
    pub(super) fn evict(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(evicted) = self.gives_way(&open, None).and_then(|id| open.remove(&id)) {
            self.metrics.lose(Lost::Evicted);
            evicted.evicted.cancel();
        }
    }

    fn gives_way(
        &self,
        open: &BTreeMap<u64, Arc<Connection>>,
        newcomer: Option<IpAddr>,
    ) -> Option<u64> {
        let now = self.now();
        let candidates = open.iter().map(|(&id, connection)| {
            let worked = connection.worked.load(Relaxed);
            let idle = (worked > 0).then(|| now.saturating_sub(worked));
            Candidate { id, source: connection.source, idle }
        });
        gives_way(candidates, newcomer)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// The connection that gives way to one of the source `newcomer`.
fn gives_way(
    candidates: impl Iterator<Item = Candidate> + Clone,
    newcomer: Option<IpAddr>,
) -> Option<u64> {
    let has_silent = candidates.clone().any(|candidate| candidate.idle.is_none());
    let candidates = candidates.filter(|candidate| candidate.idle.is_none() == has_silent);
    let mut of_source = HashMap::<IpAddr, usize>::new();
    for candidate in candidates.clone() {
        *of_source.entry(candidate.source).or_default() += 1;
    }
    let first = candidates.max_by_key(|candidate| {
        (of_source[&candidate.source], candidate.idle, std::cmp::Reverse(candidate.id))
    })?;
    let is_at_work = first.idle.is_some_and(|idle| idle < AT_WORK_MILLIS);
    (!is_at_work || newcomer != Some(first.source)).then_some(first.id)
}

/// Who has to share: an IPv4 address, or a network of IPv6, all of whose addresses one node or
/// Pod can take.
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

/// An open connection. Drop it when it is closed.
#[derive(Debug)]
pub(super) struct OpenConnection {
    list: Arc<OpenConnections>,
    id: u64,
    connection: Arc<Connection>,
}

impl OpenConnection {
    /// The connection works: it has its first request, or a review was answered.
    pub(super) fn works(&self) {
        self.connection.worked.store(self.list.now(), Relaxed);
    }

    /// Whether it has had a request.
    pub(super) fn has_request(&self) -> bool {
        self.connection.worked.load(Relaxed) > 0
    }

    /// Waits until the connection has to give way.
    pub(super) async fn evicted(&self) {
        self.connection.evicted.cancelled().await;
    }

    /// Counts that it was lost.
    pub(super) fn lose(&self, cause: Lost) {
        self.list.metrics.lose(cause);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.list.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.list.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SILENT: Option<u64> = None;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    /// The connections are given as source and idle time, the oldest first.
    #[rstest]
    #[case::the_oldest_without_a_request(&[(1, SILENT), (1, SILENT)], 2, Some(0))]
    #[case::without_a_request_before_idle(&[(1, Some(90_000)), (2, SILENT)], 2, Some(1))]
    #[case::the_longest_idle(&[(1, Some(10)), (1, Some(90_000)), (1, Some(2_000))], 1, Some(1))]
    #[case::the_source_with_the_most(&[(1, Some(90_000)), (2, Some(1)), (2, Some(3))], 1, Some(2))]
    #[case::the_source_with_the_most_silent(&[(1, SILENT), (2, SILENT), (2, SILENT)], 1, Some(1))]
    #[case::many_at_work_beside_one_silent_each(&[(1, Some(1)), (1, Some(1)), (2, SILENT), (1, SILENT)], 3, Some(2))]
    #[case::not_at_work_for_its_own_source(&[(1, Some(10)), (1, Some(999))], 1, None)]
    #[case::at_work_for_another_source(&[(1, Some(10)), (1, Some(999))], 2, Some(1))]
    #[case::idle_for_its_own_source(&[(1, Some(10)), (1, Some(1000))], 1, Some(1))]
    #[case::none_is_open(&[], 1, None)]
    fn one_gives_way(
        #[case] open: &[(u8, Option<u64>)],
        #[case] newcomer: u8,
        #[case] expected: Option<u64>,
    ) {
        let candidates = open.iter().zip(0..).map(|(&(source, idle), id)| Candidate {
            id,
            source: address(source),
            idle,
        });
        assert_eq!(gives_way(candidates, Some(address(newcomer))), expected);
    }

    #[rstest]
    #[case::ipv4("10.0.0.1", "10.0.0.1")]
    #[case::ipv4_on_a_listener_of_ipv6("::ffff:10.0.0.1", "10.0.0.1")]
    #[case::ipv6("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    fn addresses_of_one_client_are_one_source(#[case] peer: IpAddr, #[case] expected: IpAddr) {
        assert_eq!(source(peer), expected);
    }

    #[test]
    fn a_connection_that_has_given_way_is_told_and_leaves_its_slot() {
        let metrics = ConnectionMetrics::default();
        let connections = OpenConnections::new(2, metrics.clone());
        let [first, second] = [(); 2].map(|()| connections.add(address(1)).unwrap());
        first.works();
        let third = connections.add(address(1)).unwrap();
        let evicted = [&first, &second, &third]
            .map(|connection| connection.connection.evicted.is_cancelled());
        assert_eq!(evicted, [false, true, false], "the second has no request");
        assert_eq!(metrics.open.get(), 3, "the second is not closed yet");
        drop(second);
        assert!(connections.is_full(), "the first and the third keep their slots");
        drop((first, third));
        assert_eq!(metrics.open.get(), 0);
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
