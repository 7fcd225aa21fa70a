//! Manifests: does for files what the webhook does for Pods.
//!
//! The core decides ([`crate::injection`]). This room reads a text with the position of everything
//! in it, finds the Pods and Pod templates, and adds to the text what the decision adds. All other
//! bytes stay. It never writes a file.

mod apply;
mod changed;
mod count;
mod decide;
mod diff_path;
mod error;
mod hint;
mod listed;
mod misplaced;
mod objects;
mod operation;
mod outcome;
mod output;
mod partial;
mod printable;
mod report;
mod rewritten;
mod source;
mod text;
mod unified_diff;

pub use apply::{ApplyOptions, apply};
pub use changed::ChangedSource;
pub use error::{Fault, ManifestError};
pub use listed::{ListedObject, list};
pub use operation::Operation;
pub use output::{Format, render};
pub(crate) use printable::printable;
pub use report::Report;
pub use source::{ManifestSource, ReadSource, read_sources};
