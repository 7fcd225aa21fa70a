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
    /// Where it is, unless it is stdin.
    pub(super) path: Option<PathBuf>,
    /// Whether it was UTF-16.
    pub(super) was_utf16: bool,
}

impl ManifestSource {
    /// A text that is called `name` in messages.
    pub fn of(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), path: None, was_utf16: false }
    }

    fn read(name: String, path: Option<&Path>, bytes: Vec<u8>) -> Result<Self, ManifestError> {
        let path = path.map(Path::to_owned);
        if let Some(text) = utf16(&bytes) {
            return Ok(Self { name, text, path, was_utf16: true });
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text, path, was_utf16: false }),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
                Err(ManifestError::NotUtf8 { file: name, line })
            }
        }
    }

    /// Whether its name says that it is JSON.
    pub(super) fn must_be_json(&self) -> bool {
        self.name.ends_with(".json")
    }
}

/// The text of a file that begins with the byte order mark of UTF-16, as Windows writes it.
fn utf16(bytes: &[u8]) -> Option<String> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let (units, []) = bytes[2..].as_chunks::<2>() else { return None };
    char::decode_utf16(units.iter().map(|bytes| unit(*bytes))).collect::<Result<_, _>>().ok()
}

/// A path as it was given, and what it holds or why it cannot be read.
pub type ReadSource = Result<ManifestSource, ManifestError>;

/// Reads the files in `paths`. Of a directory, reads its `*.yaml`, `*.yml` and `*.json` files in the
/// order of their names, and with `is_recursive` those of its subdirectories too.
///
/// # Errors
/// When a path does not exist, or a directory has no manifests. A file that cannot be read is an
/// error in its place.
pub fn read_sources(
    paths: &[PathBuf],
    is_recursive: bool,
) -> Result<Vec<ReadSource>, ManifestError> {
    let mut sources = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        if name == STDIN.0 {
            let mut bytes = Vec::new();
            let read = io::Read::read_to_end(&mut io::stdin(), &mut bytes);
            read.map_err(|source| ManifestError::Read { path: name, source })?;
            sources.push(ManifestSource::read(STDIN.1.to_owned(), None, bytes));
        } else if path.is_dir() {
            let mut files = Vec::new();
            files_of(path, is_recursive, &mut files)?;
            if files.is_empty() {
                return Err(ManifestError::NoManifests { path: name });
            }
            sources.extend(files.iter().map(|file| read_file(file)));
        } else {
            sources.push(read_file(path));
        }
    }
    Ok(sources)
}

fn read_file(path: &Path) -> ReadSource {
    let name = path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => ManifestSource::read(name, Some(path), bytes),
        Err(source) => Err(ManifestError::Read { path: name, source }),
    }
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
