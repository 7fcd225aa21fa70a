//! Code that the tests of all packages share.
//!
//! The unit tests in `src` can use only the modules that do not depend on the webhook's crate: in a
//! unit test, its types differ from those of the dependency.

#[cfg(feature = "attack")]
pub mod attack;
#[cfg(feature = "cases")]
pub mod cases;
mod eventually;
#[cfg(feature = "generator")]
pub mod generator;
#[cfg(feature = "program")]
pub mod mounted_secret;
#[cfg(feature = "generator")]
pub mod other_webhook;
#[cfg(feature = "plan")]
pub mod plan;
#[cfg(feature = "cases")]
pub mod pods;
pub mod proc;
#[cfg(feature = "program")]
pub mod program;
#[cfg(feature = "router")]
pub mod router;
pub mod tls;
#[cfg(feature = "upstreams")]
pub mod upstreams;

use std::path::{Path, PathBuf};

pub use eventually::{InVain, eventually};

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The webhook's program: `E2E_PROGRAM`, or what Cargo built beside the tests.
///
/// # Panics
/// When it is not there.
pub fn program_path() -> PathBuf {
    if let Some(program) = std::env::var_os("E2E_PROGRAM") {
        return program.into();
    }
    let test = std::env::current_exe().unwrap();
    // target/debug/deps/TEST
    let program = test.ancestors().nth(2).unwrap().join("apisix-prestop");
    assert!(program.exists(), "build it: cargo build --bins ({})", program.display());
    program
}
