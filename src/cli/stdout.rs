//! What a command writes to stdout.

use std::io::{self, Write};

/// Writes all of `text`.
///
/// # Errors
/// When nobody reads it to its end.
pub(super) fn write_stdout(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_ref())?;
    stdout.flush()
}
