//! Where the server is in its life.

use std::sync::atomic::{AtomicU8, Ordering};

/// Starting, serving, draining: in this order, and never back.
#[derive(Debug, Default)]
pub struct Phase(AtomicU8);

const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Phase {
    /// Everything that a review needs is there.
    pub fn serve(&self) {
        self.0.fetch_max(SERVING, Ordering::Relaxed);
    }

    /// The server is about to leave: it goes on answering, and asks to be asked no more.
    pub fn drain(&self) {
        self.0.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// Whether the server is about to leave.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DRAINING
    }

    /// Ready, or why not.
    ///
    /// # Errors
    /// With the reason, as one line.
    pub fn readiness(&self) -> Result<(), &'static str> {
        match self.0.load(Ordering::Relaxed) {
            SERVING => Ok(()),
            DRAINING => Err("not ready: draining"),
            _ => Err("not ready: starting"),
        }
    }
}
