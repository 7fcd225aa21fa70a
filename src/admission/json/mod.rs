//! Reads a few fields of a large JSON text.
//!
//! The decision needs some 300 bytes of an AdmissionReview of 7 KB; half of the rest is
//! `managedFields`. serde_json parses every byte. This reader skips what a type ignores, 64 bytes
//! at a time, and gives the same result for every valid JSON text:
//!
//! - Of a skipped value it checks only brackets and strings. An API server wrote it, and no patch
//!   depends on it.
//! - When it cannot read a text, serde_json reads the text again and reports the error. The errors of
//!   serde_json quote the text, so of a long text nothing is said but that it is wrong.

mod reader;
mod step;

use serde::{Deserialize, de::Error};

use self::reader::Reader;
use crate::constants::MAX_REPORTED_BYTES;

/// Reads the whole of `text`.
///
/// # Errors
/// Those of [`serde_json::from_str`].
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    let mut reader = Reader::new(text);
    match T::deserialize(&mut reader) {
        Ok(value) if reader.is_at_end() => Ok(value),
        _ if text.len() > MAX_REPORTED_BYTES => {
            Err(serde_json::Error::custom("a field has the wrong type, or the text is not JSON"))
        }
        _ => serde_json::from_str(text),
    }
}

#[cfg(test)]
mod tests;
