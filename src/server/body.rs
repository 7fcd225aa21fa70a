//! Reading the body of a request, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::room::{LargeBody, Room};
use crate::constants::{BODY_ALLOWANCE_BYTES, MAX_BODY_BYTES, MAX_DISCARDED_BYTES};

/// The largest body whose memory is doubled when there is more of it, in bytes.
const MAX_DOUBLED_BYTES: usize = 256 * 1024;

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
        let length = whole.len() + data.len();
        if length > MAX_BODY_BYTES {
            drop((whole, large, data));
            discard(body).await;
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(ReceivedBody { bytes: data, _room: None });
        }
        if whole.capacity() < length {
            let capacity = next_capacity(whole.capacity(), length, body.size_hint().upper());
            let counted = |capacity: usize| capacity.saturating_sub(BODY_ALLOWANCE_BYTES);
            let more = counted(capacity) - counted(whole.capacity());
            if more > 0 {
                let large = large.get_or_insert_with(|| room.large_body());
                large.grow(more).await.ok_or(BodyError::NoRoom)?;
            }
            whole.reserve_exact(capacity - whole.len());
        }
        whole.extend_from_slice(&data);
    }
    Ok(ReceivedBody { bytes: whole.into(), _room: large })
}

/// How much to reserve for a body of which `length` bytes have arrived. An announcement alone reserves
/// only what is allowed to every body. Each step copies what is there, so there are few; the steps of
/// a large body are smaller, because they take room from others.
fn next_capacity(capacity: usize, length: usize, rest: Option<u64>) -> usize {
    let rest = rest.map_or(MAX_BODY_BYTES, |rest| usize::try_from(rest).unwrap_or(usize::MAX));
    let whole = length.saturating_add(rest).min(MAX_BODY_BYTES);
    let step = if capacity < MAX_DOUBLED_BYTES { capacity } else { capacity / 4 };
    (capacity + step).max(BODY_ALLOWANCE_BYTES).min(whole).max(length)
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ALLOWANCE: usize = BODY_ALLOWANCE_BYTES;

    #[rstest]
    #[case::ordinary(0, 8_000, Some(8_000), 16_000)]
    #[case::of_unknown_length(0, 8_000, None, ALLOWANCE)]
    #[case::announced_larger_than_allowed(0, 8_000, Some(100_000), ALLOWANCE)]
    #[case::announced_without_end(0, 8_000, Some(u64::MAX), ALLOWANCE)]
    #[case::in_one_large_piece(0, 100_000, Some(0), 100_000)]
    #[case::doubled(ALLOWANCE, ALLOWANCE + 1, Some(1_000_000), 2 * ALLOWANCE)]
    #[case::up_to_its_end(ALLOWANCE, ALLOWANCE + 1, Some(9), ALLOWANCE + 10)]
    #[case::by_a_quarter(MAX_DOUBLED_BYTES, 300_000, None, MAX_DOUBLED_BYTES / 4 * 5)]
    #[case::up_to_the_limit(6_000_000, 6_000_001, None, MAX_BODY_BYTES)]
    #[case::less_than_has_arrived(ALLOWANCE, 3 * ALLOWANCE, None, 3 * ALLOWANCE)]
    fn memory_is_reserved_in_few_steps(
        #[case] capacity: usize,
        #[case] length: usize,
        #[case] rest: Option<u64>,
        #[case] expected: usize,
    ) {
        assert_eq!(next_capacity(capacity, length, rest), expected);
    }
}
