//! `apisix-prestop man`: the manual pages.

use std::{fs, io, path::PathBuf};

use clap::Args;
use clap_mangen::{Man, generate_to};

use super::stdout::write_stdout;

/// Why there are no manual pages.
#[derive(Debug, thiserror::Error)]
pub enum ManError {
    /// The page cannot be written to stdout.
    #[error("cannot write the manual page: {0}")]
    Write(#[from] io::Error),
    /// The pages cannot be written to the directory.
    #[error("cannot write the manual pages to {dir}: {0}", dir = .1.display())]
    Dir(#[source] io::Error, PathBuf),
}

impl ManError {
    /// Whether another directory would help.
    pub(super) const fn is_usage(&self) -> bool {
        matches!(self, Self::Dir(..))
    }
}

/// The flags of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for the program and one for each command to this directory, and create it if it is
    /// missing
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

pub(super) fn man(args: ManArgs, command: clap::Command) -> Result<(), ManError> {
    // `help` is no page of its own: man shows the others.
    let command = command.disable_help_subcommand(true);
    let Some(dir) = args.dir else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        return Ok(write_stdout(page)?);
    };
    let written = fs::create_dir_all(&dir).and_then(|()| generate_to(command, &dir));
    written.map_err(|error| ManError::Dir(error, dir))
}
