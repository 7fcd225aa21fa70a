//! The Pods in tests/pods: what is decided for each, compared with tests/pods/expected.txt.
//!
//! `UPDATE_EXPECTED=1 cargo test --test pods` writes that anew: read the diff.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{fmt::Write, fs, path::PathBuf};

use apisix_prestop::injection::{Decision, Pod, Policy, plan};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pods")
}

/// The Pods by the names of their files.
fn pods() -> Vec<(String, Value)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
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

#[test]
fn what_is_decided_for_each_is_as_expected() {
    let mut decided = String::new();
    for (name, pod) in pods() {
        let json = pod.to_string();
        let view: Pod<'_> = serde_json::from_str(&json).unwrap();
        let plan = plan(&view, &Policy::default());
        let answer = match &plan.decision {
            Decision::Inject(injection) => injection.record.to_string(),
            Decision::Skip(reason) => format!("skip: {reason}"),
        };
        writeln!(decided, "{name}: {answer}").unwrap();
        for notice in &plan.notices {
            writeln!(decided, "    {notice}").unwrap();
        }
    }
    let file = folder().join("expected.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(file, decided).unwrap();
        return;
    }
    assert_eq!(decided, fs::read_to_string(file).unwrap(), "see tests/pods/README.md");
}

#[test]
fn a_second_look_changes_none_of_them() {
    let pods = pods();
    assert!(pods.len() >= 30, "there are only {}", pods.len());
    for (name, mut pod) in pods {
        for look in ["first", "second"] {
            let json = pod.to_string();
            let view: Pod<'_> = serde_json::from_str(&json).unwrap();
            if let Decision::Inject(injection) = plan(&view, &Policy::default()).decision {
                let patch = injection.patch().unwrap();
                assert_eq!(look, "first", "{name}: {patch}");
                json_patch::patch(&mut pod, &patch).unwrap();
            }
        }
    }
}
