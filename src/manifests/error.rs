//! Why manifests cannot be read or changed.

use std::io;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or directory cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file or directory.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not text.
    #[error("{file}:{line}: not UTF-8")]
    NotUtf8 {
        /// The file or directory.
        file: String,
        /// The line of the first byte that is to blame.
        line: usize,
    },
    /// A directory holds no manifests.
    #[error("{path}: no *.yaml, *.yml or *.json file in it")]
    NoManifests {
        /// The file or directory.
        path: String,
    },
    /// A document cannot be read, or not be changed.
    #[error("{file}:{line}: document {document}: {fault}")]
    Manifest {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The number of the document in the file, from 1.
        document: usize,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Write(#[source] io::Error),
    /// `--fail-on-notice`, and there were some.
    #[error("{0} notices, and --fail-on-notice is set")]
    Notices(usize),
}

/// What is wrong with a document.
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
    /// A key is there twice. Which of them counts depends on who reads it.
    #[error("duplicate key {path}, first on line {first}")]
    DuplicateKey {
        /// Where it is, as a JSON pointer.
        path: String,
        /// The line of the first.
        first: usize,
    },
    /// A key that JSON, and so Kubernetes, cannot have.
    #[error("{path}: a key that is not a scalar")]
    KeyNotScalar {
        /// The mapping, as a JSON pointer.
        path: String,
    },
    /// What a merge key (`<<`) merges is not a mapping.
    #[error("{path}: << needs a mapping, or a list of mappings")]
    MergeNotMapping {
        /// The mapping, as a JSON pointer.
        path: String,
    },
    /// An alias within what it stands for.
    #[error("{path}: an alias that contains itself")]
    AliasLoop {
        /// Where it is, as a JSON pointer.
        path: String,
    },
    /// Aliases of aliases that blow up.
    #[error("aliases make it too large")]
    TooLarge,
    /// A Pod or Pod template that is none.
    #[error("{object}: {path}: not a Pod template that Kubernetes would take: {message}")]
    Template {
        /// The object.
        object: String,
        /// Where the template is, as a JSON pointer.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// What a former run has left cannot be removed.
    #[error("{object}: {path}: cannot be removed: {message}")]
    Removal {
        /// The object.
        object: String,
        /// Where the template is, as a JSON pointer.
        path: String,
        /// Why.
        message: String,
    },
    /// The text that we made does not say what it should. Never written.
    #[error("cannot be changed without changing something else too: please report it")]
    Unfaithful,
}

/// The message of serde_json without the position, which the fault names itself.
pub(super) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}
