//! Sends load over TLS on loopback to apisix-prestop, and to a server of the same stack that answers
//! without reading the body. The cost of that server is the limit.
//!
//! `make bench`. What the tables mean: docs/performance.md.

mod attack;
mod certificate;
mod client;
mod limit;
mod process;
mod run;
mod scenario;
mod soak;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Measures apisix-prestop under load.
#[derive(Debug, Parser)]
#[command(name = "bench-load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts both servers, sends the load, prints the tables.
    Run(run::Options),
    /// Sends 200 reviews a second for a long time. Fails when one fails, or when memory or open
    /// descriptors grow.
    Soak(soak::Options),
    /// Sends 200 reviews a second while another client attacks. Fails when one fails.
    Attack(attack::Options),
    /// The server that answers fixed bytes. `run` starts it.
    Limit(limit::Options),
}

#[expect(clippy::print_stderr, reason = "where a command says why it failed")]
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Attack(options) => attack::run(&options),
        Command::Limit(options) => limit::serve(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The two files of a certificate.
#[derive(Clone, Debug, clap::Args)]
struct Pair {
    /// The certificate, in PEM form.
    #[arg(long)]
    tls_cert: PathBuf,
    /// Its key, in PEM form.
    #[arg(long)]
    tls_key: PathBuf,
}
