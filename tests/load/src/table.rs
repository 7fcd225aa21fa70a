//! The tables.
#![expect(clippy::print_stdout, reason = "what this program is for")]

use std::time::Duration;

/// What one load did to one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    p999: Duration,
    pub(crate) cpu_per_10k: Duration,
    resident: u64,
}

impl Measured {
    /// `took` is sorted and not empty; `resident` is in KiB.
    pub(crate) fn new(took: &[Duration], elapsed: Duration, cpu: Duration, resident: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
        let requests = took.len() as f64;
        Self {
            per_second: requests / elapsed.as_secs_f64(),
            p50: quantile(took, 500),
            p99: quantile(took, 990),
            p999: quantile(took, 999),
            cpu_per_10k: cpu.mul_f64(10_000.0 / requests),
            resident,
        }
    }
}

/// The time that so many in a thousand took at the most. `took` is sorted and not empty.
fn quantile(took: &[Duration], per_mille: usize) -> Duration {
    took[(took.len() * per_mille / 1000).min(took.len() - 1)]
}

pub(crate) fn print_head() {
    println!(
        "{:<18} {:<9} {:>9} {:>9} {:>9} {:>9} {:>12} {:>6} {:>10}",
        "load", "server", "requests", "p50", "p99", "p99.9", "CPU for", "to the", "resident",
    );
    println!(
        "{:<18} {:<9} {:>9} {:>9} {:>9} {:>9} {:>12} {:>6} {:>10}",
        "", "", "a second", "ms", "ms", "ms", "10,000, ms", "limit", "MiB, peak",
    );
}

pub(crate) fn print_row(
    load: &str,
    server: &str,
    measured: Option<Measured>,
    limit: Option<Measured>,
) {
    let (Some(m), Some(limit)) = (measured, limit) else { return };
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{load:<18} {server:<9} {:>9.0} {:>9.3} {:>9.3} {:>9.3} {:>12.0} {:>6.2} {:>10.1}",
        m.per_second,
        milliseconds(m.p50),
        milliseconds(m.p99),
        milliseconds(m.p999),
        milliseconds(m.cpu_per_10k),
        m.cpu_per_10k.as_secs_f64() / limit.cpu_per_10k.as_secs_f64(),
        mebibytes(m.resident * 1024),
    );
}

pub(crate) fn print_foot(first_answer: Duration, size: u64) {
    println!();
    println!("exec to first answer, best: {:.1} ms", first_answer.as_secs_f64() * 1000.0);
    println!("binary: {:.2} MiB", mebibytes(size));
}

/// A line of the soak.
pub(crate) struct Sample {
    at: Duration,
    reviews: usize,
    p50: Duration,
    p99: Duration,
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
}

impl Sample {
    /// `took` is sorted and not empty; `resident` is in KiB.
    pub(crate) fn new(at: Duration, took: &[Duration], resident: u64, descriptors: u64) -> Self {
        Self {
            at,
            reviews: took.len(),
            p50: quantile(took, 500),
            p99: quantile(took, 990),
            resident,
            descriptors,
        }
    }
}

pub(crate) fn print_soak_head() {
    println!(
        "{:>8} {:>9} {:>9} {:>9} {:>14} {:>12}",
        "after, s", "reviews", "p50, ms", "p99, ms", "resident, MiB", "descriptors",
    );
}

pub(crate) fn print_soak_row(sample: &Sample) {
    println!(
        "{:>8.0} {:>9} {:>9.3} {:>9.3} {:>14.2} {:>12}",
        sample.at.as_secs_f64(),
        sample.reviews,
        sample.p50.as_secs_f64() * 1000.0,
        sample.p99.as_secs_f64() * 1000.0,
        mebibytes(sample.resident * 1024),
        sample.descriptors,
    );
}

/// A line of the attacks.
pub(crate) struct AttackRow {
    reviews: usize,
    pub(crate) failed: usize,
    p50: Duration,
    p99: Duration,
    /// In KiB.
    pub(crate) peak: u64,
}

impl AttackRow {
    /// `took` is sorted and not empty; `peak` is in KiB.
    pub(crate) fn new(took: &[Duration], failed: usize, peak: u64) -> Self {
        Self {
            reviews: took.len(),
            failed,
            p50: quantile(took, 500),
            p99: quantile(took, 990),
            peak,
        }
    }
}

pub(crate) fn print_attack_head() {
    println!(
        "{:<29} {:>8} {:>7} {:>9} {:>9} {:>10}",
        "attack", "reviews", "failed", "p50, ms", "p99, ms", "peak, MiB",
    );
}

pub(crate) fn print_attack_row(name: &str, row: &AttackRow) {
    println!(
        "{name:<29} {:>8} {:>7} {:>9.2} {:>9.2} {:>10.1}",
        row.reviews,
        row.failed,
        row.p50.as_secs_f64() * 1000.0,
        row.p99.as_secs_f64() * 1000.0,
        mebibytes(row.peak * 1024),
    );
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
