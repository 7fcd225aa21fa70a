//! The room for large bodies and long answers: memory, and time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    task::yield_now,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::constants::{
    ANSWER_ALLOWANCE_BYTES, MAX_LARGE_BYTES, MAX_LONG_ANSWERS_BYTES, MAX_WAITING_ANSWERS,
};

/// How long a large body may take before it has to make room for another one. The API server sends
/// the largest in a fraction of it.
const SLOW: Duration = Duration::from_secs(1);

/// How long a body waits for room, and how often it looks for a slow one meanwhile.
const WAIT: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The room for the bodies and answers of all connections that are larger than usual.
#[derive(Debug)]
pub(super) struct Room {
    bytes: Semaphore,
    bodies: Mutex<Bodies>,
    answers: Arc<Semaphore>,
    waiting: Semaphore,
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Bodies {
    begun: u64,
    /// Since when each is large, in this order.
    on_their_way: BTreeMap<u64, (Instant, CancellationToken)>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: Semaphore::new(MAX_LARGE_BYTES),
            bodies: Mutex::default(),
            answers: Arc::new(Semaphore::new(MAX_LONG_ANSWERS_BYTES)),
            waiting: Semaphore::new(MAX_WAITING_ANSWERS),
            turn: Semaphore::new(1),
        }
    }
}

impl Room {
    /// A body that becomes large.
    pub(super) fn large_body(&self) -> LargeBody<'_> {
        let has_to_go = CancellationToken::new();
        let id = self.with(|bodies| {
            bodies.begun += 1;
            bodies.on_their_way.insert(bodies.begun, (Instant::now(), has_to_go.clone()));
            bodies.begun
        });
        LargeBody { room: self, id, has_to_go, taken: None }
    }

    /// An answer, which keeps its room until the connection has taken the last of it. `None` if
    /// there is no room for it.
    pub(super) async fn answer(&self, mut answer: Vec<u8>) -> Option<Bytes> {
        if answer.len() <= ANSWER_ALLOWANCE_BYTES {
            return Some(answer.into());
        }
        // It took a while, and the client may have sent the next one already: others first.
        yield_now().await;
        let length = u32::try_from(answer.len()).ok()?;
        let taken = self.answers.clone().try_acquire_many_owned(length).ok()?;
        answer.shrink_to_fit();
        Some(Bytes::from_owner(LongAnswer { answer, _taken: taken }))
    }

    /// Waits until no other answer is being written that takes long. Hundreds of them at once would
    /// delay every other request: so each waits for the one before, and others come between them.
    /// `None` if too many wait.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let _place = self.waiting.try_acquire().ok()?;
        self.turn.acquire().await.ok()
    }

    async fn wait_for(&self, length: u32) -> Option<SemaphorePermit<'_>> {
        loop {
            self.interrupt_slowest();
            let room = self.bytes.acquire_many(length);
            if let Ok(room) = timeout(LOOK_INTERVAL, room).await {
                return room.ok();
            }
        }
    }

    /// Tells the slowest body to go, if there is a slow one.
    fn interrupt_slowest(&self) {
        self.with(|bodies| {
            if let Some(slowest) =
                bodies.on_their_way.first_entry().filter(|body| body.get().0.elapsed() > SLOW)
            {
                slowest.remove().1.cancel();
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Bodies) -> T) -> T {
        change(&mut self.bodies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A large body on its way, and the room that it takes.
#[derive(Debug)]
pub(super) struct LargeBody<'r> {
    room: &'r Room,
    id: u64,
    has_to_go: CancellationToken,
    taken: Option<SemaphorePermit<'r>>,
}

impl LargeBody<'_> {
    /// Takes room for `length` more bytes. `None` if there is none in time.
    pub(super) async fn grow(&mut self, length: usize) -> Option<()> {
        let length = u32::try_from(length).ok()?;
        let more = match self.room.bytes.try_acquire_many(length) {
            Ok(more) => more,
            Err(_) => tokio::select! {
                more = timeout(WAIT, self.room.wait_for(length)) => more.ok()??,
                () = self.has_to_go() => return None,
            },
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Some(())
    }

    /// Waits until the body has to make room.
    pub(super) async fn has_to_go(&self) {
        self.has_to_go.cancelled().await;
    }
}

impl Drop for LargeBody<'_> {
    fn drop(&mut self) {
        self.room.with(|bodies| bodies.on_their_way.remove(&self.id));
    }
}

struct LongAnswer {
    answer: Vec<u8>,
    _taken: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for LongAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}
