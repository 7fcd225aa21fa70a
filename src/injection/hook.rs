//! How a sleep is written as a preStop handler.

use serde_json::{Value, json};

use crate::seconds::Delay;

/// The two ways to write a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `sleep: {seconds: N}`, which the kubelet does itself (KEP-3960: on by default since
    /// Kubernetes 1.30). It works in any image.
    Sleep,
    /// `exec: {command: ["/bin/sh", "-c", "sleep N"]}`, as the documentation of Apache APISIX
    /// has it. It works in any version of Kubernetes, but only in an image that has a shell:
    /// where it has none the hook fails and SIGTERM comes at once.
    Exec,
}

impl Hook {
    /// Its name in flags, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Exec => "exec",
        }
    }

    /// The `lifecycle.preStop` that sleeps for `delay`.
    pub(super) fn handler(self, delay: Delay) -> Value {
        match self {
            Self::Sleep => json!({"sleep": {"seconds": delay.get()}}),
            Self::Exec => {
                json!({"exec": {"command": ["/bin/sh", "-c", format!("sleep {}", delay.get())]}})
            }
        }
    }
}
