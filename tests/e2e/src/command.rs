//! kubectl and helm, as a person would call them.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::{io::AsyncWriteExt, process::Command};

/// The root of the repository, where every command runs.
pub fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The output of a command.
#[derive(Debug)]
pub struct Output {
    /// To standard output.
    pub stdout: String,
    /// To standard error, which includes the warnings of the API server.
    pub stderr: String,
}

/// Runs a command to its end.
///
/// # Errors
/// When it does not start, or exits with another code than 0. The error contains its output.
pub async fn run(program: &str, args: &[&str]) -> Result<Output> {
    run_with_input(program, args, "").await
}

/// Runs a command with `input` on standard input.
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

/// Runs kubectl in a namespace.
///
/// # Errors
/// As [`run`].
pub async fn kubectl(namespace: &str, args: &[&str]) -> Result<()> {
    run("kubectl", &[&["-n", namespace], args].concat()).await?;
    Ok(())
}

/// Applies a manifest in a namespace.
///
/// # Errors
/// As [`run`].
pub async fn apply(namespace: &str, manifest: &str) -> Result<()> {
    run_with_input("kubectl", &["-n", namespace, "apply", "-f", "-"], manifest).await?;
    Ok(())
}
