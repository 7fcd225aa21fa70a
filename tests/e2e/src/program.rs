//! The program as a person would call it.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
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
/// When the program is not built, or ends by a signal.
pub async fn apisix_prestop(args: &[&str], kubeconfig: Option<&Path>) -> Result<ProgramRun> {
    let program = program()?;
    let mut command = Command::new(&program);
    command.args(args).kill_on_drop(true);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().await;
    let output = output.with_context(|| format!("{}: cargo build", program.display()))?;
    Ok(ProgramRun {
        code: output.status.code().context("it was ended by a signal")?,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The tests of the other package need the program too, so cargo puts it beside theirs.
fn program() -> Result<PathBuf> {
    let test = env::current_exe()?;
    let directory = test.parent().and_then(Path::parent).context("the test is in no directory")?;
    Ok(directory.join("apisix-prestop"))
}
