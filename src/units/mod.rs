//! Times as people write them, in flags, annotations and the values of the chart.

mod grammar;
mod seconds;

pub use seconds::{OutOfRange, ParseSecondsError, Seconds};

use crate::constants::{
    MAX_AUTO_DELAY_WINDOW, MAX_DELAY, MAX_DRAIN, MAX_LIFETIME, MAX_MEASURE_TIME,
    MAX_SHUTDOWN_RESERVE, MAX_WAIT, MIN_AUTO_DELAY_WINDOW,
};

/// How long a container sleeps before SIGTERM: 0 s to 1 h.
pub type Delay = Seconds<0, MAX_DELAY>;
/// What a Pod keeps of its grace period for its own shutdown: 0 s to 1 h.
pub type ShutdownReserve = Seconds<0, MAX_SHUTDOWN_RESERVE>;
/// A phase of the server's own drain: 0 s to 5 min.
pub type DrainTime = Seconds<0, MAX_DRAIN>;
/// How long a certificate is valid: 1 s to 36500 d.
pub type Lifetime = Seconds<1, MAX_LIFETIME>;
/// How long a command waits: 0 s to 1 h.
pub type WaitTime = Seconds<0, MAX_WAIT>;
/// How long `measure` measures: 1 s to 1 d.
pub type MeasureTime = Seconds<1, MAX_MEASURE_TIME>;
/// For how long a measured Pod counts: 10 min to 7 d.
pub type DelayWindow = Seconds<MIN_AUTO_DELAY_WINDOW, MAX_AUTO_DELAY_WINDOW>;
