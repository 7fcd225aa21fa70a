//! Reads JSON of which most is of no interest.
//!
//! An AdmissionReview of 7 KB has some 300 bytes that the decision looks at; half of the rest is
//! `managedFields`. serde_json looks at every byte of that as closely as at what is kept. This
//! steps over it, 64 bytes at a time, and comes to the same for all that is JSON:
//!
//! - What is stepped over is not checked, but for its brackets and strings. It was written by an
//!   API server, nobody looks at it, and a patch does not depend on it.
//! - What cannot be read like this is left to serde_json, and so is saying what is wrong.

mod reader;
mod step;

use serde::Deserialize;

use reader::Reader;

/// Reads `text`, all of it.
///
/// # Errors
/// Those of [`serde_json::from_str`].
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    let mut reader = Reader::new(text);
    match T::deserialize(&mut reader) {
        Ok(value) if reader.is_at_end() => Ok(value),
        _ => serde_json::from_str(text),
    }
}

#[cfg(test)]
mod tests;
