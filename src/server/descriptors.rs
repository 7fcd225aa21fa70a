//! The limit of open descriptors.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::constants::RESERVED_DESCRIPTORS;

/// Raises the soft limit to the hard one. Each connection takes a descriptor, and some container
/// runtimes start with 1024.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open descriptors");
    }
}

/// How many connections each of two listeners may have: `wanted`, or as many as there are
/// descriptors for, so that neither listener takes those of the other.
pub fn connections_of_each(wanted: u32) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = (limit.saturating_sub(RESERVED_DESCRIPTORS) / 2).max(1);
    if most < u64::from(wanted) {
        tracing::warn!(most, wanted, "the limit of open descriptors allows fewer connections");
    }
    usize::try_from(most.min(wanted.into())).unwrap_or(usize::MAX)
}
