//! `apisix-prestop man`: the manual pages.

use std::{collections::BTreeMap, fs, path::Path};

use apisix_prestop::cli::Cli;
use clap::CommandFactory;

use super::manifests::{Run, run, run_in};

fn pages(directory: &Path) -> BTreeMap<String, String> {
    let pages = fs::read_dir(directory).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    pages.collect()
}

#[test]
fn a_directory_gets_a_page_for_each_command() {
    let directory = tempfile::tempdir().unwrap();
    let run = run_in(directory.path(), &["man", "--dir", "share/man1"], "");
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (0, "", ""));
    let pages = pages(&directory.path().join("share/man1"));
    let commands = Cli::command();
    let commands = commands.get_subcommands();
    let mut expected: Vec<_> =
        commands.map(|command| format!("apisix-prestop-{}.1", command.get_name())).collect();
    expected.push("apisix-prestop.1".to_owned());
    expected.sort();
    assert_eq!(pages.keys().cloned().collect::<Vec<_>>(), expected);
    for (name, page) in &pages {
        let title = name.strip_suffix(".1").unwrap();
        assert!(page.contains(&format!(".TH {title} 1")), "{name}: {page}");
    }
    assert!(pages["apisix-prestop-check.1"].contains("\\-\\-in\\-cluster"));
}

#[test]
fn stdout_gets_the_page_of_the_program() {
    let Run { code, stdout, stderr } = run(&["man"], "");
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains(".TH apisix-prestop 1"), "{stdout}");
    assert!(stdout.contains("apisix\\-prestop\\-check(1)"), "{stdout}");
}

#[test]
fn what_is_no_directory_is_an_error_of_usage() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let run = run_in(directory.path(), &["man", "--dir", "file/man1"], "");
    assert_eq!(run.code, 2);
    let start = "error: cannot write the manual pages to file/man1: ";
    assert!(run.stderr.starts_with(start), "{}", run.stderr);
}
