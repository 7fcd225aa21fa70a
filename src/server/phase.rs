//! Where the server is in its life.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use arc_swap::ArcSwapOption;

/// Starting, serving, draining: in this order, and never back. What a review needs can be
/// missing for a while, at any time.
#[derive(Debug, Default)]
pub struct Phase {
    stage: AtomicU8,
    lack: ArcSwapOption<String>,
}

const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Phase {
    /// Everything that a review needs is there.
    pub fn serve(&self) {
        self.stage.fetch_max(SERVING, Ordering::Relaxed);
    }

    /// The server is about to leave: it goes on answering, and asks to be asked no more.
    pub fn drain(&self) {
        self.stage.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// What is missing before reviews can come in, as one line; `None` when nothing is.
    pub fn set_lack(&self, lack: Option<String>) {
        self.lack.store(lack.map(Arc::new));
    }

    /// Whether the server is about to leave.
    pub fn is_draining(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == DRAINING
    }

    /// Ready, or why not.
    ///
    /// # Errors
    /// With the reason, as one line.
    pub fn readiness(&self) -> Result<(), String> {
        match (self.stage.load(Ordering::Relaxed), self.lack.load_full()) {
            (DRAINING, _) => Err("not ready: draining".to_owned()),
            (_, Some(lack)) => Err(format!("not ready: {lack}")),
            (SERVING, None) => Ok(()),
            _ => Err("not ready: starting".to_owned()),
        }
    }
}
