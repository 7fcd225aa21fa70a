//! The Pods of the webhook.

use std::collections::BTreeSet;

use super::{
    check_id::CheckId,
    release::{ReleaseFacts, ReplicaPod},
    result::CheckResult,
};
use crate::constants::VERSION_LABEL;

pub(super) fn check(release: &ReleaseFacts, own_version: &str) -> Vec<CheckResult> {
    let unread = [
        release.pods.warning(CheckId::ReplicasReady, "Pods of the webhook"),
        release.deployments.warning(CheckId::ReplicasReady, "Deployments of the webhook"),
    ];
    let mut results: Vec<_> = unread.into_iter().flatten().collect();
    let is_unread = !results.is_empty();
    if !is_unread {
        results.push(ready(release));
    }
    let pods: Vec<_> = release.pods.items.iter().filter(|pod| pod.is_there()).collect();
    if !pods.is_empty() {
        results.push(versions(release, &pods));
        results.push(skew(&pods, own_version));
    }
    results
}

fn ready(release: &ReleaseFacts) -> CheckResult {
    let ReleaseFacts { namespace, configuration, .. } = release;
    let id = CheckId::ReplicasReady;
    let show = format!("kubectl -n {namespace} get deployments,pods");
    if release.deployments.items.is_empty() {
        let message = format!("namespace {namespace} has no Deployment of {configuration}");
        return id.fail(message).hint(show);
    }
    let wanted: usize = release.deployments.items.iter().map(|it| it.spec.replicas).sum();
    let pods = release.pods.items.iter();
    // During a rollout there may be one more.
    let ready = pods.filter(|pod| pod.is_ready()).count().min(wanted);
    let message = format!("{ready} of {wanted} replicas are ready in namespace {namespace}");
    if ready < wanted || ready == 0 { id.fail(message).hint(show) } else { id.pass(message) }
}

fn versions(release: &ReleaseFacts, pods: &[&ReplicaPod]) -> CheckResult {
    let images = Vec::from_iter(BTreeSet::from_iter(pods.iter().map(|pod| pod.image())));
    let id = CheckId::ReplicaVersions;
    match &images[..] {
        [image] => id.pass(format!("every replica runs {image}")),
        images => id
            .warn(format!("the replicas run different images: {}", images.join(", ")))
            .hint(format!("kubectl -n {} rollout status deployment", release.namespace)),
    }
}

fn skew(pods: &[&ReplicaPod], own_version: &str) -> CheckResult {
    let versions =
        pods.iter().map(|pod| pod.metadata.named.label(VERSION_LABEL).unwrap_or("unknown"));
    let others: BTreeSet<_> = versions.filter(|version| *version != own_version).collect();
    let id = CheckId::VersionSkew;
    if others.is_empty() {
        return id.pass(format!("the release has the version of this program, {own_version}"));
    }
    let others = Vec::from_iter(others).join(", ");
    id.warn(format!("the release has version {others}, and this program {own_version}"))
        .hint("helm list --all-namespaces --filter apisix-prestop")
}
