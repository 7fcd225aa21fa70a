//! `apisix-prestop audit`: whether the Pods to which APISIX sends requests are protected, and if
//! not, why, and what to type.

mod args;
mod cluster;
mod error;
mod markdown;
mod sarif;
mod table;
mod templates;

use std::io;

pub use args::{AuditArgs, AuditFormat, FailOn};
pub use error::AuditError;

use super::stdout::write_stdout;
use crate::{injection::Hook, protection::AuditSettings};

pub(super) fn audit(args: AuditArgs) -> Result<(), AuditError> {
    // Most clusters have the native sleep. Which hook it is matters little for what is found.
    let policy = args.injection.policy(Hook::Sleep)?;
    let propagation = args.propagation.map(|propagation| propagation.get());
    let settings = AuditSettings { policy, propagation, ..AuditSettings::default() };
    let (output, fail_on) = (args.output, args.fail_on);
    let report = if args.filename.is_empty() {
        match cluster::audit(args, settings)? {
            cluster::Audited::Report(report) => report,
            cluster::Audited::Pod(explanation) => {
                return Ok(write_stdout(table::explanation(&explanation))?);
            }
        }
    } else {
        // A manifest is for a cluster with a webhook.
        templates::audit(args, AuditSettings { is_installed: true, ..settings })?
    };
    let text = match output {
        AuditFormat::Table => table::report(&report, false),
        AuditFormat::Wide => table::report(&report, true),
        AuditFormat::Json => {
            serde_json::to_string_pretty(&report).map_err(io::Error::other)? + "\n"
        }
        AuditFormat::Yaml => serde_saphyr::to_string(&report).map_err(io::Error::other)?,
        AuditFormat::Markdown => markdown::report(&report),
        AuditFormat::Sarif => sarif::report(&report).map_err(io::Error::other)? + "\n",
    };
    write_stdout(text)?;
    match fail_on.filter(|fail_on| fail_on.applies(&report)) {
        Some(fail_on) => Err(AuditError::Found(fail_on)),
        None => Ok(()),
    }
}
