//! The cases in tests/upstreams, each as a test for each version of the controller.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use apisix_prestop::upstreams::Version;
use libtest_mimic::{Arguments, Trial};
use support::upstreams::{all, version_name};

fn main() {
    let trials = all().into_iter().flat_map(|case| {
        [Version::V2, Version::V1_8].map(|version| {
            let case = case.clone();
            let name = format!("version_{}::{}", version_name(version), case.name);
            Trial::test(name, move || Ok(case.check(&mut case.index(version), version)?))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
