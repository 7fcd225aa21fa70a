//! Memory, CPU time and descriptors of a process, from /proc.

use std::{fs, io};

/// The resident memory of the process, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident(pid: u32) -> io::Result<u64> {
    status(pid, "VmRSS:")
}

/// The peak of the resident memory so far, in KiB.
///
/// # Errors
/// As [`resident`].
pub fn peak_resident(pid: u32) -> io::Result<u64> {
    status(pid, "VmHWM:")
}

/// The CPU time of the first thread of the process, in seconds.
///
/// # Errors
/// As [`resident`].
pub fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanoseconds = stat.split(' ').next().and_then(|time| time.parse::<f64>().ok());
    nanoseconds.map(|time| time / 1e9).ok_or_else(|| io::Error::other(stat))
}

/// The number of open descriptors of the process.
///
/// # Errors
/// As [`resident`].
pub fn descriptors(pid: u32) -> io::Result<u64> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64)
}

fn status(pid: u32, key: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.ok_or_else(|| io::Error::other(format!("the status of {pid} has no {key}")))
}
