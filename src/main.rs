//! The `apisix-prestop` command.

use std::process::ExitCode;

use apisix_prestop::cli::Cli;

#[expect(clippy::print_stderr, reason = "where a command says why it failed")]
fn main() -> ExitCode {
    match Cli::from_arguments().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}
