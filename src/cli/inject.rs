//! `apisix-prestop inject` and `uninject`: do for files what the webhook does for Pods.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;

use super::injection::{DelayAboveMaximum, HookMode, InjectionArgs};
use crate::{
    injection::Hook,
    manifests::{ApplyOptions, Format, ManifestError, Operation, apply, read_sources, render},
};

/// Why `inject` or `uninject` failed.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// The flags contradict each other.
    #[error(transparent)]
    Flags(#[from] DelayAboveMaximum),
    /// The manifests cannot be read, changed or written.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
}

impl InjectError {
    /// Whether other flags or another input would help.
    pub(super) const fn is_usage(&self) -> bool {
        use ManifestError::{Notices, Write};
        !matches!(self, Self::Manifests(Notices(_) | Write(_)))
    }
}

/// The flags of `inject`.
#[derive(Debug, Args)]
pub struct InjectArgs {
    /// What to read and what to write.
    #[command(flatten)]
    pub manifests: ManifestArgs,
    /// What to inject.
    #[command(flatten, next_help_heading = "Injection")]
    pub injection: InjectionArgs,
}

/// What to read and what to write.
#[derive(Debug, Args)]
pub struct ManifestArgs {
    /// A file, a directory (its *.yaml, *.yml and *.json), or - for stdin. May be repeated
    #[arg(short, long, value_name = "FILE|DIR|-", required = true)]
    pub filename: Vec<PathBuf>,
    /// Read directories recursively
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// What to write; by default the manifests, in the format of the input
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    pub output: Option<Format>,
    /// Leave out the files that cannot be read, and report all of them: the output lacks them
    #[arg(long)]
    pub skip_unreadable: bool,
    /// Write only the report
    #[arg(long)]
    pub dry_run: bool,
    /// Exit with 1 if there is a notice. The output stays the same
    #[arg(long)]
    pub fail_on_notice: bool,
}

pub(super) fn inject(args: &InjectArgs) -> Result<(), InjectError> {
    let policy = args.injection.policy(Hook::Exec)?;
    if args.injection.hook == HookMode::Auto {
        say("hook auto: there is no cluster to ask, so it means exec; --hook sleep works in any \
             image, from Kubernetes 1.30 on");
    }
    Ok(run(&args.manifests, &Operation::Inject(policy))?)
}

pub(super) fn uninject(args: &ManifestArgs) -> Result<(), InjectError> {
    Ok(run(args, &Operation::Uninject)?)
}

/// Everything is read and decided before anything is written.
fn run(args: &ManifestArgs, operation: &Operation) -> Result<(), ManifestError> {
    let sources = read_sources(&args.filename, args.recursive)?;
    let options = ApplyOptions {
        skips_unreadable: args.skip_unreadable,
        keeps_patches: args.output == Some(Format::Patch),
    };
    let (changed, report) = apply(sources, operation, options)?;
    if !args.dry_run {
        let mut stdout = BufWriter::new(io::stdout().lock());
        render(&changed, args.output, &mut stdout)?;
        stdout.flush().map_err(ManifestError::Write)?;
    }
    say(&report.to_string());
    match report.notices() {
        notices if notices > 0 && args.fail_on_notice => Err(ManifestError::Notices(notices)),
        _ => Ok(()),
    }
}

#[expect(clippy::print_stderr, reason = "the report is for people, the manifests are for pipes")]
fn say(text: &str) {
    eprintln!("{text}");
}
