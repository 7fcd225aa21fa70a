//! `apisix-prestop completion`: what a shell loads to complete the command line.

use std::io;

use clap::Args;
use clap_complete::{Shell, generate};

use super::{program_name::ProgramName, stdout::write_stdout};

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the completion script: {0}")]
pub struct CompletionError(#[from] io::Error);

/// The flags of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

pub(super) fn completion(
    args: &CompletionArgs,
    mut command: clap::Command,
) -> Result<(), CompletionError> {
    // `generate` panics where it cannot write.
    let mut script = Vec::new();
    generate(args.shell, &mut command, ProgramName::current().file(), &mut script);
    Ok(write_stdout(script)?)
}
