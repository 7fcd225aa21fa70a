//! stderr, where a reader that is slow or stuck costs lines and not reviews.

use std::io::{self, Write};

use prometheus_client::metrics::counter::Counter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The longest line, in bytes. A pipe that has room for anything has room for this (`PIPE_BUF`).
const MAX_LINE_BYTES: usize = 4096;

/// Writes whole lines to stderr, as long as that does not block. Counts the others.
#[derive(Debug)]
pub(super) struct NonBlockingStderr {
    pub(super) dropped: Counter,
}

impl Write for NonBlockingStderr {
    /// Takes a whole line, ends it early if it is too long, and drops it if nobody reads.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !is_writable() {
            self.dropped.inc();
            return Ok(line.len());
        }
        let mut stderr = io::stderr().lock();
        match line.get(..MAX_LINE_BYTES - 1) {
            Some(start) if line.len() > MAX_LINE_BYTES => {
                stderr.write_all(start)?;
                stderr.write_all(b"\n")?;
            }
            _ => stderr.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn is_writable() -> bool {
    let stderr = io::stderr();
    let mut descriptors = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut descriptors, Some(&at_once)).is_ok()
        && descriptors[0].revents().contains(PollFlags::OUT)
}
