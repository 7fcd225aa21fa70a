//! What a decision depends on beside the Pod.

use super::{
    pod::{OwnerReference, Pod},
    policy::Policy,
};
use crate::upstreams::Target;

/// What a decision depends on beside the Pod.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The policy of the cluster's operator.
    pub policy: &'c Policy,
    /// The object that controls the Pod, if there is one.
    pub controller: Option<Controller<'c>>,
    /// What sends requests to the Pod. `None` if nothing watches Services and routes.
    pub target: Option<&'c Target>,
    /// The length of all annotations, keys and values, in bytes. `None` if it is far below the limit
    /// of the API server.
    pub annotations_bytes: Option<usize>,
}

impl<'c> Context<'c> {
    /// The context of a Pod that names its controller itself.
    pub fn of(pod: &'c Pod<'_>, policy: &'c Policy) -> Self {
        let controller = pod.controller().map(Controller::from);
        Self { policy, controller, target: None, annotations_bytes: None }
    }
}

/// The object that controls a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controller<'c> {
    /// Its API group and version, such as `apps/v1`.
    pub api_version: &'c str,
    /// Its kind, such as `ReplicaSet`.
    pub kind: &'c str,
}

impl Controller<'_> {
    /// The controller of the Pods of a Job.
    pub const JOB: Controller<'static> = Controller { api_version: "batch/v1", kind: "Job" };

    /// Whether it is a Job (batch/v1).
    pub(super) fn is_job(&self) -> bool {
        self.kind == "Job" && self.api_version.starts_with("batch/")
    }
}

impl<'c> From<&'c OwnerReference<'_>> for Controller<'c> {
    fn from(owner: &'c OwnerReference<'_>) -> Self {
        Self { api_version: &owner.api_version, kind: &owner.kind }
    }
}
