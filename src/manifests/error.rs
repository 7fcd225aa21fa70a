//! Why manifests cannot be read or changed.

use std::io;

use jsonptr::{Pointer, PointerBuf};
use serde_json::Value;

use super::count::counted;

/// Why the command writes nothing.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or directory cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file or directory.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file is not UTF-8.
    #[error("{file}:{line}: not UTF-8")]
    NotUtf8 {
        /// The file or directory.
        file: String,
        /// The line of the first wrong byte.
        line: usize,
    },
    /// A directory holds no manifests.
    #[error("{path}: no *.yaml, *.yml or *.json file in it")]
    NoManifests {
        /// The file or directory.
        path: String,
    },
    /// A document cannot be read or changed.
    #[error("{file}:{line}: document {document}: {fault}{}", hint.unwrap_or_default())]
    Manifest {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The number of the document in the file, from 1.
        document: usize,
        /// The fault.
        #[source]
        fault: Box<Fault>,
        /// What probably helps.
        hint: Option<&'static str>,
    },
    /// A diff of a file outside of the working directory: `git apply` would change another file.
    #[error("{path}: --output diff needs files in or below the working directory")]
    Outside {
        /// The file.
        path: String,
    },
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[source] io::Error),
    /// There are notices, with `--fail-on-notice`.
    #[error("{}, and --fail-on-notice is set", counted(*.0, "notice"))]
    Notices(usize),
}

/// The fault of a document.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Neither YAML nor JSON.
    #[error("column {column}: {message}")]
    Syntax {
        /// The column, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// Lines that end with a carriage return alone.
    #[error("a carriage return without a line feed: convert the line ends")]
    CarriageReturn,
    /// A key that JSON, and so Kubernetes, does not allow.
    #[error("{path}: a key that is not a scalar")]
    KeyNotScalar {
        /// The mapping, as a JSON pointer.
        path: String,
    },
    /// A merge key (`<<`) whose value is not a mapping.
    #[error("{path}: << needs a mapping, or a list of mappings")]
    MergeNotMapping {
        /// The mapping, as a JSON pointer.
        path: String,
    },
    /// An alias inside of its own anchor.
    #[error("{path}: an alias that contains itself")]
    AliasLoop {
        /// Its path, as a JSON pointer.
        path: String,
    },
    /// Aliases of aliases that expand to too many values.
    #[error("aliases make it too large")]
    TooLarge,
    /// A malformed Pod or Pod template.
    #[error("{object}: {}: not a Pod template that Kubernetes accepts: {message}", shown(path))]
    Template {
        /// The object.
        object: String,
        /// The path of the wrong part, as a JSON pointer.
        path: PointerBuf,
        /// What is wrong.
        message: String,
    },
    /// A value of an annotation or a label that is not a string.
    #[error("{object}: {key}: {value} is not a string: write \"{}\"", unquoted(value))]
    NotString {
        /// The object.
        object: String,
        /// The annotation or label.
        key: String,
        /// Its path, as a JSON pointer.
        path: PointerBuf,
        /// Its value.
        value: Value,
    },
    /// The result of the change does not have the wanted data. It is not written.
    #[error("cannot be changed without changing something else too: please report it")]
    Unfaithful,
}

impl Fault {
    /// The path of what is wrong, as a JSON pointer.
    pub(super) fn path(&self) -> Option<&Pointer> {
        match self {
            Self::Template { path, .. } | Self::NotString { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// The message of serde_json without the position, which the fault names itself.
pub(super) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

fn shown(path: &PointerBuf) -> &str {
    if path.is_root() { "the Pod" } else { path.as_str() }
}

/// A value as text between quotes.
fn unquoted(value: &Value) -> String {
    value.to_string().replace('"', "\\\"")
}
