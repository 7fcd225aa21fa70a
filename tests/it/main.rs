//! The tests that need no cluster, in one program.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and nothing here is a library"
)]

mod architecture;
mod attacks;
mod audit;
mod completion;
mod crowd;
mod docs;
mod examples;
mod inject;
mod injection;
mod limits;
mod man;
mod manifests;
mod measure;
mod monitoring;
mod other_webhooks;
mod pods;
mod preflight;
mod properties;
mod protection;
mod repositories;
mod router;
mod schema;
mod serve;
mod upstreams;
mod upstreams_command;
