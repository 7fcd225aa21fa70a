//! The thread that talks to the API server.

use std::{io, thread};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A thread with a runtime of its own. A long list or a slow API server does not delay a review
/// there. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct ApiThread {
    runtime: Handle,
    _stop: DropGuard,
}

impl ApiThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread or no descriptor left.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        thread::Builder::new()
            .name("api-server".to_owned())
            .spawn(move || runtime.block_on(stopped))?;
        Ok(Self { runtime: handle, _stop: stop.drop_guard() })
    }

    /// The runtime, to start tasks on the thread.
    pub(super) fn runtime(&self) -> Handle {
        self.runtime.clone()
    }
}
