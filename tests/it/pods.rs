//! The Pods in tests/pods: what is decided for each, compared with tests/pods/expected.txt.
//!
//! `UPDATE_EXPECTED=1 cargo test --test it pods` writes that anew: read the diff.

use std::{fmt::Write, fs};

use apisix_prestop::injection::{Decision, Policy};
use support::{
    plan::{patch, patched, with_plan},
    pods, repository,
};

#[test]
fn what_is_decided_for_each_is_as_expected() {
    let mut decided = String::new();
    for (name, pod) in pods::all() {
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
    let file = repository().join("tests/pods").join("expected.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(file, decided).unwrap();
        return;
    }
    assert_eq!(decided, fs::read_to_string(file).unwrap(), "see tests/pods/README.md");
}

#[test]
fn a_second_look_changes_none_of_them() {
    let pods = pods::all();
    assert!(pods.len() >= 30, "there are only {}", pods.len());
    for (name, pod) in pods {
        let once = patched(&pod, &Policy::default());
        let second = patch(&once, &Policy::default());
        assert!(second.0.is_empty(), "{name}: {second}");
    }
}
