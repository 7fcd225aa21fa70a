//! `apisix-prestop completion`: the scripts, and the shells that are installed.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output},
};

use apisix_prestop::cli::Cli;
use clap::CommandFactory;
use rstest::rstest;

use super::manifests::run;

const PROGRAM: &str = env!("CARGO_BIN_EXE_apisix-prestop");

fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn script(shell: &str) -> String {
    let run = run(&["completion", shell], "");
    assert_eq!((run.code, &*run.stderr), (0, ""));
    run.stdout
}

/// What the program says to those who call it by this name.
fn called(name: &str, args: &[&str]) -> String {
    stdout(Command::new(PROGRAM).arg0(name).args(args).output().unwrap())
}

/// A directory with the program, as `name`.
fn installed_as(name: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(PROGRAM, directory.path().join(name)).unwrap();
    directory
}

fn with_path(program: impl AsRef<Path>, first: &Path) -> Command {
    let mut path = first.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut command = Command::new(program.as_ref());
    command.env("PATH", path);
    command
}

#[rstest]
#[case::bash("bash")]
#[case::elvish("elvish")]
#[case::fish("fish")]
#[case::powershell("powershell")]
#[case::zsh("zsh")]
fn a_script_has_each_command(#[case] shell: &str) {
    let script = script(shell);
    for command in Cli::command().get_subcommands() {
        assert!(script.contains(command.get_name()), "{shell} has no {}", command.get_name());
    }
    assert!(script.contains("explain"), "{shell} has no flag of audit");
}

#[rstest]
#[case::bash("bash", "-n")]
#[case::fish("fish", "--no-execute")]
#[case::zsh("zsh", "-n")]
fn a_shell_accepts_its_script(#[case] shell: &str, #[case] check: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("script");
    fs::write(&file, script(shell)).unwrap();
    match Command::new(shell).arg(check).arg(&file).output() {
        Ok(output) => assert_eq!(stdout(output), ""),
        Err(error) => println!("skipped: {shell}: {error}"),
    }
}

#[rstest]
#[case::command(&["au"], "audit")]
#[case::flag(&["check", "--in"], "--in-cluster")]
#[case::value(&["completion", "z"], "zsh")]
fn bash_and_kubectl_complete_a_word(#[case] words: &[&str], #[case] expected: &str) {
    let directory = installed_as("kubectl-apisix_prestop");
    let script = support::repository().join("manifests/krew/kubectl_complete-apisix_prestop");
    let output = with_path(script, directory.path()).args(words).output().unwrap();
    assert_eq!(stdout(output), format!("{expected}\n:4\n"));
}

#[rstest]
#[case::program("/usr/bin/apisix-prestop", "apisix-prestop")]
#[case::plugin("/root/.krew/bin/kubectl-apisix_prestop", "kubectl apisix-prestop")]
#[case::plugin_in_path("kubectl-apisix_prestop", "kubectl apisix-prestop")]
#[case::another_name("./apisix-prestop-linux-amd64", "apisix-prestop")]
fn usage_says_what_a_person_types(#[case] called_as: &str, #[case] typed: &str) {
    let usage = |args: &[&str]| {
        let help = called(called_as, args);
        help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap().to_owned()
    };
    assert_eq!(usage(&["--help"]), format!("{typed} <COMMAND>"));
    assert_eq!(usage(&["help", "check"]), format!("{typed} check [OPTIONS]"));
    assert_eq!(called(called_as, &["--version"]), called("apisix-prestop", &["--version"]));
}

#[rstest]
#[case::program("apisix-prestop")]
#[case::plugin("kubectl-apisix_prestop")]
fn a_script_is_for_the_name_of_the_file(#[case] name: &str) {
    let script = called(name, &["completion", "zsh"]);
    assert_eq!(script.lines().next(), Some(&*format!("#compdef {name}")));
}
