//! The bounds of an answer that serde_json does not set.

use std::io::{self, Read};

use super::error::ControlApiError;
use crate::constants::{MAX_CONTROL_API_BYTES, MAX_CONTROL_API_DEPTH, MAX_CONTROL_API_TOKEN_BYTES};

/// JSON that ends in an error where it exceeds a bound. serde_json keeps a text as a whole, and how
/// deep it is in what it skips.
pub(super) struct BoundedJson<R> {
    json: R,
    length: u64,
    depth: usize,
    /// How long the text or the number is so far.
    token: usize,
    place: JsonPlace,
}

#[derive(Clone, Copy)]
enum JsonPlace {
    Outside,
    InText,
    /// In a text, after a backslash.
    Escaped,
}

impl<R> BoundedJson<R> {
    pub(super) fn new(json: R) -> Self {
        Self { json, length: 0, depth: 0, token: 0, place: JsonPlace::Outside }
    }

    fn follow(&mut self, bytes: &[u8]) -> Result<(), ControlApiError> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > MAX_CONTROL_API_BYTES {
            return Err(ControlApiError::TooLong);
        }
        for byte in bytes {
            let (place, is_in_token) = match (self.place, byte) {
                (JsonPlace::InText, b'"') => (JsonPlace::Outside, false),
                (JsonPlace::InText, b'\\') => (JsonPlace::Escaped, true),
                (JsonPlace::InText | JsonPlace::Escaped, _) => (JsonPlace::InText, true),
                (JsonPlace::Outside, b'"') => (JsonPlace::InText, false),
                (JsonPlace::Outside, b'[' | b'{') => {
                    self.depth += 1;
                    (JsonPlace::Outside, false)
                }
                (JsonPlace::Outside, b']' | b'}') => {
                    self.depth = self.depth.saturating_sub(1);
                    (JsonPlace::Outside, false)
                }
                (JsonPlace::Outside, b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') => {
                    (JsonPlace::Outside, false)
                }
                (JsonPlace::Outside, _) => (JsonPlace::Outside, true),
            };
            self.place = place;
            self.token = if is_in_token { self.token + 1 } else { 0 };
            if self.token > MAX_CONTROL_API_TOKEN_BYTES {
                return Err(ControlApiError::LongToken);
            }
            if self.depth > MAX_CONTROL_API_DEPTH {
                return Err(ControlApiError::TooDeep);
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for BoundedJson<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.json.read(buffer)?;
        self.follow(&buffer[..length]).map_err(io::Error::other)?;
        Ok(length)
    }
}
