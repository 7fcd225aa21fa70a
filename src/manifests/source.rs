//! Reads files, directories and stdin.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::error::ManifestError;

/// The path that means stdin, and its name in messages.
const STDIN: (&str, &str) = ("-", "stdin");
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A text to read manifests from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestSource {
    /// Its name in messages.
    pub name: String,
    /// The text.
    pub text: String,
    /// Whether its name ends in `.json`.
    pub is_json: bool,
}

impl ManifestSource {
    fn new(name: String, bytes: Vec<u8>) -> Result<Self, ManifestError> {
        let is_json = name.ends_with(".json");
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text, is_json }),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
                Err(ManifestError::NotUtf8 { file: name, line })
            }
        }
    }
}

/// Reads the files in `paths`. Of a directory, reads its `*.yaml`, `*.yml` and `*.json` files in the
/// order of their names, and with `is_recursive` those of its subdirectories too.
///
/// # Errors
/// When one of them cannot be read.
pub fn read_sources(
    paths: &[PathBuf],
    is_recursive: bool,
) -> Result<Vec<ManifestSource>, ManifestError> {
    let mut sources = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let fail = |source| ManifestError::Read { path: name.clone(), source };
        if name == STDIN.0 {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::stdin(), &mut bytes).map_err(fail)?;
            sources.push(ManifestSource::new(STDIN.1.to_owned(), bytes)?);
        } else if path.is_dir() {
            let mut files = Vec::new();
            files_of(path, is_recursive, &mut files)?;
            if files.is_empty() {
                return Err(ManifestError::NoManifests { path: name });
            }
            for file in files {
                sources.push(read_file(&file)?);
            }
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

fn read_file(path: &Path) -> Result<ManifestSource, ManifestError> {
    let name = path.display().to_string();
    let bytes =
        fs::read(path).map_err(|source| ManifestError::Read { path: name.clone(), source })?;
    ManifestSource::new(name, bytes)
}

fn files_of(
    path: &Path,
    is_recursive: bool,
    files: &mut Vec<PathBuf>,
) -> Result<(), ManifestError> {
    let fail = |source| ManifestError::Read { path: path.display().to_string(), source };
    let entries: io::Result<Vec<_>> =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries = entries.map_err(fail)?;
    entries.sort();
    for entry in entries {
        let extension = entry.extension().and_then(|extension| extension.to_str());
        // A link to a directory is not followed: it may lead back here.
        if entry.is_dir() {
            if is_recursive && !entry.is_symlink() {
                files_of(&entry, is_recursive, files)?;
            }
        } else if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            files.push(entry);
        }
    }
    Ok(())
}
