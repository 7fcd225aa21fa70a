//! Why something could not be read, in few words.

use std::{error::Error, future::Future, time::Duration};

/// Why a request has failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The API server refuses, or cannot be asked.
    #[error("{}", in_words(.0))]
    Api(kube::Error),
    /// It takes too long.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// There is more than is read.
    #[error("there are more than {0}")]
    TooMany(usize),
}

impl ReadError {
    /// Whether the API server does not know the kind.
    pub(super) fn is_absent(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether the user may not list the objects.
    pub(super) fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Api(kube::Error::Api(status)) => Some(status.code),
            Self::Api(_) | Self::Timeout(_) | Self::TooMany(_) => None,
        }
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ReadError> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.map_err(|_| ReadError::Timeout(limit))?.map_err(ReadError::Api)
}

/// What the API server says, or else each cause of the error once.
fn in_words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return if status.message.is_empty() { &status.reason } else { &status.message }.clone();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        cause = error.source();
    }
    text
}
