//! What to type after `serve` has started on a laptop.

use std::net::SocketAddr;

use crate::constants::INJECT_PATH;

/// Prints a command that sends a review. It is not a line of the log: people copy it.
#[expect(clippy::print_stderr, reason = "for a person at a terminal")]
pub(super) fn suggest_first_try(address: SocketAddr) {
    let port = address.port();
    eprintln!(
        "\nTry it, from the repository's root:\n\n  \
         curl -sk https://localhost:{port}{INJECT_PATH} -H 'Content-Type: application/json' \
         --data-binary @manifests/examples/review.json \
         | sed 's/.*\"patch\":\"\\([^\"]*\\)\".*/\\1/' | base64 -d\n"
    );
}
