//! Why manifests cannot be read or changed.

use std::io;

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
    #[error("{file}:{line}: document {document}: {fault}")]
    Manifest {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The number of the document in the file, from 1.
        document: usize,
        /// The fault.
        #[source]
        fault: Fault,
    },
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[source] io::Error),
    /// There are notices, with `--fail-on-notice`.
    #[error("{0} notices, and --fail-on-notice is set")]
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
    /// A duplicate key. Readers disagree which of them counts.
    #[error("duplicate key {path}, first on line {first}")]
    DuplicateKey {
        /// Its path, as a JSON pointer.
        path: String,
        /// The line of the first.
        first: usize,
    },
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
    #[error("{object}: {path}: not a Pod template that Kubernetes accepts: {message}")]
    Template {
        /// The object.
        object: String,
        /// The path of the template, as a JSON pointer.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The result of the change does not have the wanted data. It is not written.
    #[error("cannot be changed without changing something else too: please report it")]
    Unfaithful,
}

/// The message of serde_json without the position, which the fault names itself.
pub(super) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}
