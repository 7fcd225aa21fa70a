//! The Pods in tests/pods: what is decided for each, compared with tests/pods/expected.txt.
//!
//! `UPDATE_EXPECTED=1 cargo test --test it pods` writes that anew: read the diff.

use std::{fmt::Write, fs, path::PathBuf};

use apisix_prestop::injection::{Decision, Policy};
use serde_json::Value;
use support::plan::{patch, patched, with_plan};

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
        with_plan(&pod, &Policy::default(), |plan| {
            let answer = match &plan.decision {
                Decision::Inject(injection) => injection.record.to_string(),
                Decision::Skip(reason) => format!("skip: {reason}"),
            };
            writeln!(decided, "{name}: {answer}").unwrap();
            for notice in &plan.notices {
                writeln!(decided, "    {notice}").unwrap();
            }
        });
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
    for (name, pod) in pods {
        let once = patched(&pod, &Policy::default());
        let second = patch(&once, &Policy::default());
        assert!(second.0.is_empty(), "{name}: {second}");
    }
}
