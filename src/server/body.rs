//! Reading the body of a request, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::constants::{MAX_BODIES_BYTES, MAX_BODY_BYTES, MAX_DISCARDED_BYTES};

/// The memory for bodies that arrive in more than one piece. The usual one does not: it takes no
/// room here, and is read however many large ones are on their way.
#[derive(Debug)]
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(MAX_BODIES_BYTES))
    }
}

/// A body, and the room that it takes.
#[derive(Debug)]
pub(super) struct Received<'r> {
    pub(super) bytes: Bytes,
    _taken: Option<SemaphorePermit<'r>>,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// There is more than the limit.
    #[error("the body is over {} MiB", MAX_BODY_BYTES / 1024 / 1024)]
    TooLarge,
    /// It did not arrive whole.
    #[error("the body did not arrive: {0}")]
    Broken(#[source] axum::Error),
    /// It did not arrive in time.
    #[error("the body took longer than {0:?}")]
    TooSlow(Duration),
    /// Others take all the room.
    #[error("there are too many large bodies at once")]
    NoRoom,
}

/// The whole body, should it arrive within `limit`.
pub(super) async fn read_body(
    mut body: Body,
    limit: Duration,
    room: &Room,
) -> Result<Received<'_>, BodyError> {
    // The timer is set only where the body is not there yet, which is rare.
    timeout(limit, collect(&mut body, room)).await.unwrap_or(Err(BodyError::TooSlow(limit)))
}

async fn collect<'r>(body: &mut Body, room: &'r Room) -> Result<Received<'r>, BodyError> {
    let (mut whole, mut taken) = (Vec::new(), None::<SemaphorePermit<'_>>);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(BodyError::Broken)?;
        // What is no data are trailers, which nobody needs.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY_BYTES {
            drop((whole, taken, data));
            discard(body).await;
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() {
            if body.is_end_stream() {
                return Ok(Received { bytes: data, _taken: None });
            }
            let rest = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
            whole.reserve(data.len() + rest.min(MAX_BODY_BYTES - data.len()));
        }
        // For what has arrived, not for what is announced: that costs nothing to say.
        let more = room.0.try_acquire_many(u32::try_from(data.len()).unwrap_or(u32::MAX));
        let more = more.map_err(|_| BodyError::NoRoom)?;
        match &mut taken {
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        whole.extend_from_slice(&data);
    }
    Ok(Received { bytes: whole.into(), _taken: taken })
}

/// Reads some of what is left and throws it away: a client that is still sending when the
/// connection is closed never sees the answer.
async fn discard(body: &mut Body) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await
        && discarded < MAX_DISCARDED_BYTES
    {
        discarded += frame.into_data().map_or(0, |data| data.len());
    }
}
