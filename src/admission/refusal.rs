//! Requests that get no review.

use std::fmt;

use axum::http::StatusCode;
use strum::{EnumCount, IntoStaticStr, VariantArray};

use crate::constants::MAX_REFUSAL_BYTES;

/// Why a request gets no review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    /// The body is not an AdmissionReview, or did not arrive completely.
    MalformedBody,
    /// Another path.
    Path,
    /// Not a POST.
    Method,
    /// The body did not arrive in time.
    Timeout,
    /// The body is too large.
    BodyTooLarge,
    /// The content type is not `application/json`.
    ContentType,
    /// Too many large bodies arrive at once.
    Overloaded,
    /// The response cannot be written.
    Internal,
}

impl Refusal {
    /// Its name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The HTTP status of the response. The API server treats each of them as a failed call, and
    /// the failurePolicy decides.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedBody => StatusCode::BAD_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            // Without Retry-After: the API server would wait, and ask this replica again.
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A request that gets no review, with one line that says why.
#[derive(Debug)]
pub struct RefusedRequest {
    /// Why.
    pub refusal: Refusal,
    /// The same for people, with the details.
    pub message: String,
}

impl RefusedRequest {
    /// A request that is refused because of `message`.
    pub fn new(refusal: Refusal, message: impl fmt::Display) -> Self {
        let mut message = message.to_string();
        let end = message.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_REFUSAL_BYTES);
        if let Some(end) = end {
            message.truncate(end);
        }
        Self { refusal, message }
    }
}
