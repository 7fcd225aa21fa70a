//! Images that the cluster has.

/// An image with a shell: `E2E_SHELL_IMAGE`, or the one that the test cluster always has.
pub fn shell_image() -> String {
    std::env::var("E2E_SHELL_IMAGE").unwrap_or_else(|_| "busybox:test".to_owned())
}
