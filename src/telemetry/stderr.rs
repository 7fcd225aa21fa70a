//! stderr, where a reader that is slow or stuck costs lines and not reviews.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::{fd::AsFd, unix::fs::FileTypeExt},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use prometheus_client::metrics::counter::Counter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The longest line, in bytes. A pipe that has room for anything has room for this (`PIPE_BUF`).
const MAX_LINE_BYTES: usize = 4096;

/// Writes whole lines to stderr, as long as that does not block. Counts the others.
#[derive(Debug)]
pub(super) struct NonBlockingStderr {
    dropped: Counter,
    room: LineRoom,
}

/// What is known of the room for lines, so that not every line has to ask the kernel.
#[derive(Debug)]
enum LineRoom {
    /// Writing never waits for a reader.
    Endless,
    /// A pipe of our own, which still has room for so many bytes.
    Pipe(AtomicUsize),
    /// Nothing.
    Unknown,
}

impl NonBlockingStderr {
    /// Counts in `dropped` the lines that nobody reads.
    pub(super) fn new(dropped: Counter) -> Self {
        Self { dropped, room: LineRoom::of_stderr() }
    }
}

impl Write for &NonBlockingStderr {
    /// Takes a whole line, ends it early if it is too long, and drops it if nobody reads.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if !self.room.take(line.len().min(MAX_LINE_BYTES)) {
            self.dropped.inc();
            return Ok(line.len());
        }
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

impl LineRoom {
    fn of_stderr() -> Self {
        let stderr = io::stderr();
        let file = stderr.as_fd().try_clone_to_owned().map(File::from);
        match file.and_then(|file| file.metadata()).map(|metadata| metadata.file_type()) {
            Ok(kind) if kind.is_fifo() => Self::Pipe(AtomicUsize::new(0)),
            Ok(kind) if kind.is_file() => Self::Endless,
            // Such as /dev/null.
            Ok(kind) if kind.is_char_device() && !stderr.is_terminal() => Self::Endless,
            _ => Self::Unknown,
        }
    }

    /// Whether `length` bytes can be written without waiting. The caller holds the lock of stderr.
    fn take(&self, length: usize) -> bool {
        match self {
            Self::Endless => true,
            Self::Unknown => is_writable(),
            Self::Pipe(left) => {
                let known = left.load(Relaxed);
                let room = if known >= length || !is_writable() { known } else { MAX_LINE_BYTES };
                let rest = room.checked_sub(length);
                left.store(rest.unwrap_or(known), Relaxed);
                rest.is_some()
            }
        }
    }
}

fn is_writable() -> bool {
    let stderr = io::stderr();
    let mut descriptors = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut descriptors, Some(&at_once)).is_ok()
        && descriptors[0].revents().contains(PollFlags::OUT)
}
