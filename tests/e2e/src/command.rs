//! kubectl and helm, as a person would call them.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::{io::AsyncWriteExt, process::Command};

/// The root of the repository, where every command runs.
pub fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// What a command wrote.
#[derive(Debug)]
pub struct Output {
    /// To standard output.
    pub stdout: String,
    /// To standard error: warnings of the API server are here.
    pub stderr: String,
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started, or exits with anything but 0; the error has what it wrote.
pub async fn run(program: &str, args: &[&str]) -> Result<Output> {
    run_with_input(program, args, "").await
}

/// The same with something to read on standard input.
///
/// # Errors
/// As [`run`].
pub async fn run_with_input(program: &str, args: &[&str], input: &str) -> Result<Output> {
    let mut child = Command::new(program)
        .args(args)
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "{program} {} failed ({}):\n{stdout}{stderr}",
        args.join(" "),
        output.status
    );
    Ok(Output { stdout, stderr })
}
