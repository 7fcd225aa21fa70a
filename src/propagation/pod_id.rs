//! What identifies a Pod.

use std::{fmt, sync::Arc};

/// What identifies a Pod: one of a workload, or one of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// The UID: another Pod may have the same name later.
    pub uid: Arc<str>,
}

impl PodId {
    /// What identifies this Pod.
    pub fn new(namespace: &str, name: &str, uid: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into(), uid: uid.into() }
    }
}

/// `NAMESPACE/NAME`.
impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
