//! Reading the body of a request, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::constants::{
    BODY_ALLOWANCE_BYTES, MAX_BODIES_BYTES, MAX_BODY_BYTES, MAX_DISCARDED_BYTES,
};

/// The memory for bodies that arrive in more than one piece. A body that arrives in one, and the
/// beginning of every other, take nothing of the budget: an ordinary review is read however many
/// large bodies are on their way.
#[derive(Debug)]
pub(super) struct BodyBudget(Semaphore);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Semaphore::new(MAX_BODIES_BYTES))
    }
}

/// A body, and its share of the budget.
#[derive(Debug)]
pub(super) struct ReceivedBody<'r> {
    pub(super) bytes: Bytes,
    _taken: Option<SemaphorePermit<'r>>,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It is larger than the limit.
    #[error("the body is over {} MiB", MAX_BODY_BYTES / 1024 / 1024)]
    TooLarge,
    /// It did not arrive completely.
    #[error("the body did not arrive: {0}")]
    Broken(#[source] axum::Error),
    /// It did not arrive in time.
    #[error("the body took longer than {0:?}")]
    TooSlow(Duration),
    /// Other bodies take all of the budget.
    #[error("there are too many large bodies at once")]
    NoBudget,
}

/// Reads the complete body, if it arrives within `limit`.
pub(super) async fn read_body(
    mut body: Body,
    limit: Duration,
    budget: &BodyBudget,
) -> Result<ReceivedBody<'_>, BodyError> {
    // The timer is set only where the body is not there yet, which is rare.
    timeout(limit, collect(&mut body, budget)).await.unwrap_or(Err(BodyError::TooSlow(limit)))
}

async fn collect<'r>(
    body: &mut Body,
    budget: &'r BodyBudget,
) -> Result<ReceivedBody<'r>, BodyError> {
    let (mut whole, mut taken) = (Vec::new(), None::<SemaphorePermit<'_>>);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(BodyError::Broken)?;
        // Frames without data are trailers: they do not matter.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY_BYTES {
            drop((whole, taken, data));
            discard(body).await;
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(ReceivedBody { bytes: data, _taken: None });
        }
        // For what has arrived, not for what is announced: an announcement costs nothing.
        let length = whole.len() + data.len();
        let free = BODY_ALLOWANCE_BYTES.max(whole.len());
        if length > free {
            let more = u32::try_from(length - free).unwrap_or(u32::MAX);
            let more = budget.0.try_acquire_many(more).map_err(|_| BodyError::NoBudget)?;
            match &mut taken {
                Some(taken) => taken.merge(more),
                None => taken = Some(more),
            }
        }
        if whole.capacity() < length {
            // A doubling would take twice what is counted.
            whole.reserve_exact(data.len().max(whole.len() / 4));
        }
        whole.extend_from_slice(&data);
    }
    Ok(ReceivedBody { bytes: whole.into(), _taken: taken })
}

/// Reads some of the rest and throws it away: a client that is still sending when the connection
/// closes never sees the response.
async fn discard(body: &mut Body) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await
        && discarded < MAX_DISCARDED_BYTES
    {
        discarded += frame.into_data().map_or(0, |data| data.len());
    }
}
