//! The Pods in tests/pods.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::repository;

/// The Pods by the names of their files.
pub fn all() -> Vec<(String, Value)> {
    let files = fs::read_dir(repository().join("tests/pods")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let pod = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), pod)
    };
    files.into_iter().map(read).collect()
}
