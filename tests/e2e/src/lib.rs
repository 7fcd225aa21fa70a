//! Shared code of the cluster tests and the demo: the installed chart, a namespace for each test, a
//! measured [`rollout`], and a [`storm`] of Pods.

pub mod command;
pub mod dry_run;
pub mod gateway;
pub mod image;
pub mod installation;
pub mod namespace;
pub mod policy_refresh;
pub mod program;
pub mod prometheus;
pub mod provided_certificate;
pub mod reader;
pub mod replica;
pub mod resource_version;
pub mod rollout;
pub mod route;
pub mod slow_gateway;
pub mod storm;
