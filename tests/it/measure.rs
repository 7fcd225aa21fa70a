//! `apisix-prestop measure`: the flags.

use std::fs;

use rstest::rstest;

use super::manifests::{Run, run, run_in};

#[rstest]
#[case::no_time(&["--for", "0"], "'0' for '--for <TIME>': expected a time from 1s to 1d, such as 90s, 10m or 12h")]
#[case::too_long(&["--for", "1d1s"], "'1d1s' for '--for <TIME>': expected a time from 1s to 1d, such as 90s, 10m or 12h")]
#[case::no_kind(&["--roll", "web"], "'web' for '--roll <KIND/NAME>': expected deployment/NAME, statefulset/NAME or daemonset/NAME")]
#[case::namespace(&["-n", "a/b"], "'a/b' for '--namespace <NAME>': expected up to 63 lowercase letters, digits and -")]
#[case::gateway_namespace(&["--gateway-namespace", "A"], "'A' for '--gateway-namespace <NAME>': expected up to 63 lowercase letters, digits and -")]
#[case::every_pod(&["--gateway-selector="], "'' for '--gateway-selector <SELECTOR>': expected a label selector, such as app=apisix, app!=test or app in (a,b)")]
#[case::no_selector(&["--gateway-selector", "a=b=c"], "'a=b=c' for '--gateway-selector <SELECTOR>': expected a label selector, such as app=apisix, app!=test or app in (a,b)")]
#[case::no_port(&["--control-port", "0"], "'0' for '--control-port <PORT>': 0 is not in 1..=65535")]
fn a_bad_value_is_refused_with_what_is_expected(#[case] args: &[&str], #[case] expected: &str) {
    let Run { code, stdout, stderr } = run(&[&["measure"], args].concat(), "");
    assert_eq!((code, &*stdout), (2, ""), "{stderr}");
    assert_eq!(stderr.lines().next().unwrap(), format!("error: invalid value {expected}"));
}

#[test]
fn a_plot_that_cannot_be_written_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let run = run_in(directory.path(), &["measure", "--plot", "missing/plot.svg"], "");
    let expected =
        "error: --plot: cannot write missing/plot.svg: No such file or directory (os error 2)\n";
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (2, "", expected));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is written");
}
