//! The command line. Each command owns its flags, and says itself which errors are errors of
//! usage.

mod audit;
mod check;
mod completion;
mod controller;
mod gateway;
mod inject;
mod injection;
mod label_selector;
mod man;
mod manifest_objects;
mod measure;
mod object_name;
mod plain_table;
mod program_name;
mod serve;
mod signals;
mod stdout;
mod tls;
mod upstreams;
mod webhook_flags;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use program_name::ProgramName;

pub use audit::{AuditArgs, AuditError, AuditFormat, FailOn};
pub use check::{CheckArgs, CheckError};
pub use completion::{CompletionArgs, CompletionError};
pub use controller::ControllerArgs;
pub use gateway::{AccessMode, GatewayArgs};
pub use inject::{InjectArgs, InjectError, ManifestArgs};
pub use injection::{DelayAboveMaximum, HookMode, InjectionArgs};
pub use man::{ManArgs, ManError};
pub use measure::{MeasureArgs, MeasureError, RollableKind, RolledWorkload};
pub use serve::{
    ContradictoryMeasureArgs, ServeArgs, ServeError, ServeMeasureArgs, TargetsNotWatched, TaskEnded,
};
pub use tls::{SelfManagedArgs, TlsArgs, TlsError, TlsMode};
pub use upstreams::{ReportFormat, UpstreamsArgs, UpstreamsError};

/// Gives Pods behind Apache APISIX the time to leave its routes before they stop.
#[derive(Debug, Parser)]
#[command(name = "apisix-prestop", version)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the admission webhook.
    Serve(Box<ServeArgs>),
    /// Do for manifests what the webhook does for Pods. Writes to stdout, and a report to stderr.
    Inject(InjectArgs),
    /// Remove from manifests what `inject` or the webhook added, and nothing else.
    Uninject(ManifestArgs),
    /// Tell which Services and workloads of manifests APISIX sends requests to, and through which
    /// route.
    Upstreams(UpstreamsArgs),
    /// Tell whether the Pods to which APISIX sends requests are protected; if not, why, and what to
    /// type.
    Audit(Box<AuditArgs>),
    /// Check whether the webhook works in a cluster: its installation, its certificate, the namespaces
    /// that have opted in, and what happens to a Pod there. Changes nothing.
    Check(CheckArgs),
    /// Measure how long APISIX takes to let go of a Pod that stops, and tell which delay follows from
    /// it
    Measure(Box<MeasureArgs>),
    /// Write the script with which a shell completes the command line.
    Completion(CompletionArgs),
    /// Write the manual page, or all of them to a directory.
    Man(ManArgs),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// `serve` failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// `inject` or `uninject` failed.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// `upstreams` failed.
    #[error(transparent)]
    Upstreams(#[from] UpstreamsError),
    /// `audit` failed, or found what it was asked for.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// `check` has no report.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// `measure` has no report.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// `completion` failed.
    #[error(transparent)]
    Completion(#[from] CompletionError),
    /// `man` failed.
    #[error(transparent)]
    Man(#[from] ManError),
}

impl Cli {
    /// Reads the arguments of the program. Usage is shown under the name that a person types.
    pub fn from_arguments() -> Self {
        let matches = Self::command().bin_name(ProgramName::current().typed()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Runs the command to its end. The exit code says what `check` has found.
    ///
    /// # Errors
    /// When the command fails. [`CommandError::exit_code`] says whether its input is the cause.
    pub fn run(self) -> Result<ExitCode, CommandError> {
        match self.command {
            Command::Serve(args) => serve::run(*args)?,
            Command::Inject(args) => inject::inject(&args)?,
            Command::Uninject(args) => inject::uninject(&args)?,
            Command::Upstreams(args) => upstreams::upstreams(args)?,
            Command::Audit(args) => audit::audit(*args)?,
            Command::Check(args) => return Ok(check::check(args)?),
            Command::Measure(args) => measure::measure(*args)?,
            Command::Completion(args) => completion::completion(&args, Self::command())?,
            Command::Man(args) => man::man(args, Self::command())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl CommandError {
    /// 2 for an error of usage, which other flags or another input would mend. Otherwise 1.
    pub fn exit_code(&self) -> ExitCode {
        let is_usage = match self {
            Self::Serve(error) => error.is_usage(),
            Self::Inject(error) => error.is_usage(),
            Self::Upstreams(error) => error.is_usage(),
            Self::Audit(error) => error.is_usage(),
            Self::Check(error) => error.is_usage(),
            Self::Measure(error) => error.is_usage(),
            Self::Completion(_) => false,
            Self::Man(error) => error.is_usage(),
        };
        if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
    }
}
