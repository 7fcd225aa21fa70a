//! What the tests of `inject` share.

pub mod generate;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use apisix_prestop::{
    injection::Policy,
    manifests::{ApplyOptions, ManifestSource, Operation, apply},
};

pub fn policy() -> Policy {
    Policy::default()
}

fn changed(text: &str, what: &Operation) -> String {
    match apply(vec![Ok(ManifestSource::of("web.yaml", text))], what, ApplyOptions::default()) {
        Ok((changed, _)) => changed[0].after().to_owned(),
        Err(error) => panic!("{error}, from:\n{text}"),
    }
}

pub fn inject(text: &str) -> String {
    changed(text, &Operation::Inject(policy()))
}

pub fn uninject(text: &str) -> String {
    changed(text, &Operation::Uninject)
}

/// What the real program did.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub fn run(args: &[&str], stdin: &str) -> Run {
    run_in(Path::new("."), args, stdin)
}

/// The same in another working directory.
pub fn run_in(directory: &Path, args: &[&str], stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_apisix-prestop"))
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its flags does not read.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
