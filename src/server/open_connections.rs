//! The open connections of a listener, and which of them gives way to another.
//!
//! Any client that reaches the port can open connections and hold them. Where there is no slot for
//! another, one is closed: the API server connects when it has a review to send. Two rules decide
//! which one:
//!
//! - A connection that has had no review answered for a second gives way. Of several, the source with
//!   the most of them loses its oldest.
//! - Otherwise the source with the most connections loses one, so that no source takes the slots of
//!   another: one without an answered review if there is one, or that whose last answered review
//!   is the longest ago. A slow body or an answer that nobody reads does not count as work.
//!
//! A connection whose last review was answered within the last second does not give way to one of
//! its own source, which is refused.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use super::connection_metrics::{ConnectionMetrics, Lost};

/// How long a connection counts as at work after an answered review, and how long it may take to
/// its first one where others want its slot, in milliseconds.
const GRACE_MILLIS: u64 = 1000;

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
    /// When it was accepted, or its last review answered, in milliseconds after the start.
    since: AtomicU64,
    has_answered: AtomicBool,
    /// Ends it.
    task: OnceLock<AbortHandle>,
}

impl Connection {
    fn give_way(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// What decides which connection gives way.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: u64,
    source: IpAddr,
    /// How long ago it was accepted, or its last review answered, in milliseconds.
    idle: u64,
    has_answered: bool,
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
        let mut open = self.open();
        if open.len() >= self.most && !self.evict_from(&mut open, Some(source)) {
            self.metrics.lose(Lost::Refused);
            return None;
        }
        let connection = Arc::new(Connection {
            source,
            since: AtomicU64::new(self.now()),
            has_answered: AtomicBool::new(false),
            task: OnceLock::new(),
        });
        let id = self.accepted.fetch_add(1, Relaxed);
        open.insert(id, connection.clone());
        self.metrics.open.inc();
        Some(OpenConnection { list: self.clone(), id, connection })
    }

    /// Runs `serve` for a connection, until its end or until it has to give way.
    pub(super) fn spawn<F>(
        tasks: &TaskTracker,
        connection: OpenConnection,
        serve: impl FnOnce(OpenConnection) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let entry = connection.connection.clone();
        let task = tasks.spawn(serve(connection)).abort_handle();
        // It is new, and nobody else sets it.
        let _ = entry.task.set(task);
    }

    /// Whether the next connection takes the place of another.
    pub(super) fn is_full(&self) -> bool {
        self.open().len() >= self.most
    }

    /// Closes a connection, to have its descriptor back.
    pub(super) fn evict(&self) {
        self.evict_from(&mut self.open(), None);
    }

    /// Closes the connection that gives way to `newcomer`. `false` if none does.
    fn evict_from(
        &self,
        open: &mut BTreeMap<u64, Arc<Connection>>,
        newcomer: Option<IpAddr>,
    ) -> bool {
        let now = self.now();
        let candidates = open.iter().map(|(&id, connection)| Candidate {
            id,
            source: connection.source,
            idle: now.saturating_sub(connection.since.load(Relaxed)),
            has_answered: connection.has_answered.load(Relaxed),
        });
        let evicted = gives_way(candidates, newcomer).and_then(|id| open.remove(&id));
        if let Some(evicted) = &evicted {
            self.metrics.lose(Lost::Evicted);
            evicted.give_way();
        }
        evicted.is_some()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The connection that gives way to one of the source `newcomer`.
fn gives_way(
    candidates: impl Iterator<Item = Candidate> + Clone,
    newcomer: Option<IpAddr>,
) -> Option<u64> {
    let is_useless =
        |candidate: &Candidate| !candidate.has_answered && candidate.idle >= GRACE_MILLIS;
    let useless = candidates.clone().filter(is_useless);
    if let Some(oldest) = of_largest_source(useless) {
        return Some(oldest.id);
    }
    let first = of_largest_source(candidates)?;
    let is_at_work = first.has_answered && first.idle < GRACE_MILLIS;
    (!is_at_work || newcomer != Some(first.source)).then_some(first.id)
}

/// Of the source with the most candidates, one without an answered review, or else the longest idle.
fn of_largest_source(candidates: impl Iterator<Item = Candidate> + Clone) -> Option<Candidate> {
    let mut of_source = HashMap::<IpAddr, usize>::new();
    for candidate in candidates.clone() {
        *of_source.entry(candidate.source).or_default() += 1;
    }
    candidates.max_by_key(|candidate| {
        let Candidate { id, source, idle, has_answered } = *candidate;
        (of_source[&source], source, !has_answered, idle, Reverse(id))
    })
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
    /// A review was answered.
    pub(super) fn has_answered(&self) {
        self.connection.since.store(self.list.now(), Relaxed);
        self.connection.has_answered.store(true, Relaxed);
    }

    /// Counts that it was lost.
    pub(super) fn lose(&self, cause: Lost) {
        self.list.metrics.lose(cause);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.list.open().remove(&self.id);
        self.list.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    /// A connection of a source that has had no review answered for so long.
    fn new(source: u8, idle: u64) -> Candidate {
        Candidate { id: 0, source: address(source), idle, has_answered: false }
    }

    /// A connection of a source whose last review was answered so long ago.
    fn used(source: u8, idle: u64) -> Candidate {
        Candidate { has_answered: true, ..new(source, idle) }
    }

    /// The oldest connection comes first.
    #[rstest]
    #[case::the_oldest_without_a_review(&[new(1, 3000), new(1, 2000)], 2, Some(0))]
    #[case::without_a_review_before_idle(&[used(1, 90_000), new(2, 1000)], 2, Some(1))]
    #[case::the_longest_idle(&[used(1, 10), used(1, 90_000), used(1, 2000)], 1, Some(1))]
    #[case::of_the_source_with_the_most(&[used(1, 90_000), used(2, 1), used(2, 3)], 1, Some(2))]
    #[case::of_the_source_with_the_most_useless(&[new(1, 5000), new(2, 4000), new(2, 3000)], 1, Some(1))]
    #[case::many_sources_of_one_useless_each(&[used(1, 1), used(1, 1), new(2, 2000), new(3, 3000)], 1, Some(3))]
    #[case::one_that_is_just_connecting_is_safe(&[used(1, 1), new(1, 5), used(2, 1), used(2, 2), used(2, 3)], 1, Some(4))]
    #[case::from_those_that_want_more(&[new(1, 5), used(2, 1), used(2, 2), used(2, 3)], 2, None)]
    #[case::the_oldest_of_a_flood(&[used(1, 1), new(1, 30), new(1, 20), new(1, 10)], 1, Some(1))]
    #[case::not_at_work_for_its_own_source(&[used(1, 10), used(1, 999)], 1, None)]
    #[case::at_work_for_another_source(&[used(1, 10), used(1, 999)], 2, Some(1))]
    #[case::idle_for_its_own_source(&[used(1, 10), used(1, 1000)], 1, Some(1))]
    #[case::none_is_open(&[], 1, None)]
    fn one_gives_way(
        #[case] open: &[Candidate],
        #[case] newcomer: u8,
        #[case] expected: Option<u64>,
    ) {
        let candidates = open.iter().zip(0..).map(|(candidate, id)| Candidate { id, ..*candidate });
        assert_eq!(gives_way(candidates, Some(address(newcomer))), expected);
    }

    #[rstest]
    #[case::ipv4("10.0.0.1", "10.0.0.1")]
    #[case::ipv4_on_a_listener_of_ipv6("::ffff:10.0.0.1", "10.0.0.1")]
    #[case::ipv6("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    fn addresses_of_one_client_are_one_source(#[case] peer: IpAddr, #[case] expected: IpAddr) {
        assert_eq!(source(peer), expected);
    }

    #[tokio::test]
    async fn a_connection_that_has_given_way_ends_and_leaves_its_slot() {
        let metrics = ConnectionMetrics::default();
        let connections = OpenConnections::new(2, metrics.clone());
        let tasks = TaskTracker::new();
        let open = |has_answered: bool| {
            let connection = connections.add(address(1)).unwrap();
            OpenConnections::spawn(&tasks, connection, |connection| async move {
                if has_answered {
                    connection.has_answered();
                }
                std::future::pending().await
            });
        };
        open(true);
        open(false);
        tokio::task::yield_now().await;
        open(false);
        assert_eq!(metrics.open.get(), 3, "the second is not closed yet");
        tokio::task::yield_now().await;
        assert_eq!((metrics.open.get(), tasks.len()), (2, 2));
        assert!(connections.is_full(), "the first and the third keep their slots");
        let ids: Vec<_> = connections.open.lock().unwrap().keys().copied().collect();
        assert_eq!(ids, [0, 2], "the second had no answered review");
        for connection in connections.open.lock().unwrap().values() {
            connection.give_way();
        }
        tokio::task::yield_now().await;
        assert_eq!(metrics.open.get(), 0);
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
