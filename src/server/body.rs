//! Reading the body of a request, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::room::{LargeBody, Room};
use crate::constants::{BODY_ALLOWANCE_BYTES, MAX_BODY_BYTES, MAX_DISCARDED_BYTES};

/// A body, and the room that it takes.
#[derive(Debug)]
pub(super) struct ReceivedBody<'r> {
    pub(super) bytes: Bytes,
    _room: Option<LargeBody<'r>>,
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
    /// Others take all of the room.
    #[error("there are too many large bodies or long answers at once")]
    NoRoom,
}

/// Reads the complete body, if it arrives within `limit`. A body that arrives in one piece, and the
/// beginning of every other, take no room: an ordinary review is read however many large bodies are
/// on their way.
pub(super) async fn read_body(
    mut body: Body,
    limit: Duration,
    room: &Room,
) -> Result<ReceivedBody<'_>, BodyError> {
    // The timer is set only where the body is not there yet, which is rare.
    timeout(limit, collect(&mut body, room)).await.unwrap_or(Err(BodyError::TooSlow(limit)))
}

async fn collect<'r>(body: &mut Body, room: &'r Room) -> Result<ReceivedBody<'r>, BodyError> {
    let (mut whole, mut large) = (Vec::new(), None::<LargeBody<'_>>);
    loop {
        let frame = match &large {
            None => body.frame().await,
            Some(large) => tokio::select! {
                frame = body.frame() => frame,
                () = large.has_to_go() => return Err(BodyError::NoRoom),
            },
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(BodyError::Broken)?;
        // Frames without data are trailers: they do not matter.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY_BYTES {
            drop((whole, large, data));
            discard(body).await;
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(ReceivedBody { bytes: data, _room: None });
        }
        // Counts what has arrived, not what is announced.
        let length = whole.len() + data.len();
        let free = BODY_ALLOWANCE_BYTES.max(whole.len());
        if length > free {
            let large = large.get_or_insert_with(|| room.large_body());
            large.grow(length - free).await.ok_or(BodyError::NoRoom)?;
        }
        if whole.capacity() < length {
            // An ordinary body is copied once. Beyond the allowance, an announcement reserves nothing,
            // and a doubling would take twice what is counted.
            let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
            let ordinary = BODY_ALLOWANCE_BYTES.min(data.len().saturating_add(announced));
            let more = if whole.is_empty() { ordinary } else { whole.len() / 4 };
            whole.reserve_exact(data.len().max(more));
        }
        whole.extend_from_slice(&data);
    }
    Ok(ReceivedBody { bytes: whole.into(), _room: large })
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
