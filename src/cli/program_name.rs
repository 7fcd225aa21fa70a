//! The name by which the program runs. kubectl runs the program `kubectl-apisix_prestop` for
//! `kubectl apisix-prestop`.

use std::{env, ffi::OsStr, path::Path};

/// The file of a plugin of kubectl: `-` stands for a space, and `_` for the `-` of its name.
const PLUGIN_FILE: &str = "kubectl-apisix_prestop";

/// The name by which the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgramName {
    /// Its own name.
    Own,
    /// As a plugin of kubectl.
    Plugin,
}

impl ProgramName {
    pub(super) fn current() -> Self {
        let program = env::args_os().next();
        match program.as_deref().map(Path::new).and_then(Path::file_stem).and_then(OsStr::to_str) {
            Some(PLUGIN_FILE) => Self::Plugin,
            _ => Self::Own,
        }
    }

    /// What a person types.
    pub(super) const fn typed(self) -> &'static str {
        match self {
            Self::Own => "apisix-prestop",
            Self::Plugin => "kubectl apisix-prestop",
        }
    }

    /// The name of the file, which a shell completes.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Own => "apisix-prestop",
            Self::Plugin => PLUGIN_FILE,
        }
    }
}
