//! Images that the cluster has.

use anyhow::{Context, Result};

/// The image of the programs around the webhook: `E2E_FIXTURES_IMAGE`.
///
/// # Errors
/// When the variable is missing.
pub fn fixtures_image() -> Result<String> {
    std::env::var("E2E_FIXTURES_IMAGE").context("E2E_FIXTURES_IMAGE is not set: run `make e2e`")
}

/// An image with a shell: `E2E_SHELL_IMAGE`, or the one that the test cluster always has.
pub fn shell_image() -> String {
    std::env::var("E2E_SHELL_IMAGE").unwrap_or_else(|_| "busybox:test".to_owned())
}
