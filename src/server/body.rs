//! Reading the body of a request, within limits of size and time.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::time::timeout;

use crate::constants::{MAX_BODY_BYTES, MAX_DISCARDED_BYTES};

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// There is more than the limit.
    #[error("the body is over {} MiB", MAX_BODY_BYTES / 1024 / 1024)]
    TooLarge,
    /// It did not arrive whole.
    #[error("the body did not arrive: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not arrive in time.
    #[error("the body took longer than {0:?}")]
    TooSlow(Duration),
}

/// The whole body, should it arrive within `limit`.
pub(super) async fn read_body<B>(mut body: B, limit: Duration) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // The timer is set only where the body is not there yet, which is rare.
    timeout(limit, collect(&mut body)).await.unwrap_or(Err(BodyError::TooSlow(limit)))
}

async fn collect<B>(body: &mut B) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Broken(error.into()))?;
        // What is no data are trailers, which nobody needs.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY_BYTES {
            drop((whole, data));
            discard(body).await;
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() {
            // Most bodies arrive in one piece.
            if body.is_end_stream() {
                return Ok(data);
            }
            let rest = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
            whole.reserve(data.len() + rest.min(MAX_BODY_BYTES - data.len()));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Reads some of what is left and throws it away: a client that is still sending when the
/// connection is closed never sees the answer.
async fn discard<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await
        && discarded < MAX_DISCARDED_BYTES
    {
        discarded += frame.into_data().map_or(0, |data| data.len());
    }
}
