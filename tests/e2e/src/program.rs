//! The program as a person would call it.

use std::path::Path;

use anyhow::{Context, Result};
use support::program_path;
use tokio::process::Command;

/// What a run of the program came to.
#[derive(Debug)]
pub struct ProgramRun {
    /// The exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs `apisix-prestop` with `args`, and with `kubeconfig` if it is not the one of the tests.
///
/// # Errors
/// When it does not start, or ends by a signal.
pub async fn apisix_prestop(args: &[&str], kubeconfig: Option<&Path>) -> Result<ProgramRun> {
    let mut command = Command::new(program_path());
    command.args(args).kill_on_drop(true);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().await?;
    Ok(ProgramRun {
        code: output.status.code().context("it was ended by a signal")?,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// What `check` says.
#[derive(Debug)]
pub struct Checked {
    /// The exit code.
    pub code: i32,
    /// The report, and why there is none.
    pub report: String,
}

/// Runs `check`.
///
/// # Errors
/// As [`apisix_prestop`].
pub async fn check(flags: &[&str]) -> Result<Checked> {
    let run = apisix_prestop(&[&["check"], flags].concat(), None).await?;
    Ok(Checked { code: run.code, report: run.stdout + &run.stderr })
}
