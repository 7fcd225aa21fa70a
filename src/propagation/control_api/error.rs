use std::io;

use crate::constants::{MAX_CONTROL_API_BYTES, MAX_CONTROL_API_DEPTH, MAX_CONTROL_API_TOKEN_BYTES};

/// Why an answer of the Control API says nothing. It quotes nothing of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlApiError {
    /// It has too many bytes.
    #[error("the answer is longer than {} MiB", MAX_CONTROL_API_BYTES >> 20)]
    TooLong,
    /// It has a text or a number that is too long.
    #[error("the answer has a text or a number of more than {} KiB", MAX_CONTROL_API_TOKEN_BYTES >> 10)]
    LongToken,
    /// It is nested too deep.
    #[error("the answer is nested more than {MAX_CONTROL_API_DEPTH} levels deep")]
    TooDeep,
    /// Its end is missing, or all of it: so answers an APISIX that has not read its configuration yet.
    #[error("the answer is empty or ends too early")]
    Truncated,
    /// It is something else.
    #[error("the answer is not JSON")]
    NotJson,
    /// It is JSON, and not of this API.
    #[error("the answer is not that of a Control API of APISIX")]
    OtherShape,
    /// It could not be read.
    #[error("the answer cannot be read: {0}")]
    Read(io::ErrorKind),
}
