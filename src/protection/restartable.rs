//! What `kubectl rollout restart` takes.

/// Whether `kubectl rollout restart` takes objects of this kind.
pub(super) fn is_restartable(kind: &str) -> bool {
    ["Deployment", "StatefulSet", "DaemonSet"].contains(&kind)
}
