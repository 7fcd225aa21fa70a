//! The API server and the kubelets.

use super::{
    check_id::CheckId,
    facts::{NodeFacts, PreflightFacts},
    result::CheckResult,
};
use crate::constants::{MIN_KUBERNETES_MINOR, SLEEP_EVERYWHERE_MINOR, SLEEP_KUBERNETES_MINOR};

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let mut results = vec![version(facts), native_sleep(facts)];
    results.extend(facts.nodes.warning(CheckId::NativeSleep, "nodes"));
    results
}

fn version(facts: &PreflightFacts) -> CheckResult {
    let id = CheckId::ApiServerVersion;
    let result = match &facts.api_server {
        Err(why) => id.warn(format!("the API server does not tell its version: {why}")),
        Ok(server) => match server.minor {
            Some(MIN_KUBERNETES_MINOR..) => {
                return id.pass(format!("the API server is {}", server.version));
            }
            Some(_) => id.fail(format!(
                "the API server is {}: the webhook needs 1.{MIN_KUBERNETES_MINOR} or later",
                server.version
            )),
            None => id.warn(format!("the version {:?} is not one of Kubernetes", server.version)),
        },
    };
    result.hint("kubectl version")
}

const KNOWN: &str = "the API server and every kubelet know the native sleep";

fn native_sleep(facts: &PreflightFacts) -> CheckResult {
    let id = CheckId::NativeSleep;
    let minor = facts.api_server.as_ref().ok().and_then(|server| server.minor);
    let old = facts.nodes.items.iter().find(|node| !node.knows_sleep);
    let why = match (minor, old) {
        (Some(minor @ ..SLEEP_KUBERNETES_MINOR), _) => {
            format!("Kubernetes 1.{minor} does not know")
        }
        // Here the hook is a sleep, whatever a kubelet says that should not be there.
        (Some(SLEEP_EVERYWHERE_MINOR..), Some(NodeFacts { name, kubelet_version, .. })) => {
            let message = format!(
                "the kubelet {kubelet_version} of node {name} is too old for the API server, and does \
                 not know the native sleep: Pods there stop without waiting"
            );
            return id.warn(message).hint("kubectl get nodes");
        }
        (Some(SLEEP_EVERYWHERE_MINOR..), None) => return id.pass(KNOWN),
        (_, Some(node)) => {
            format!("the kubelet {} of node {} does not know", node.kubelet_version, node.name)
        }
        (Some(_), None) if !facts.nodes.items.is_empty() => return id.pass(KNOWN),
        _ => "nothing shows that every kubelet knows".to_owned(),
    };
    id.warn(format!("{why} the native sleep: the hook is exec, which needs a shell in the image"))
        .hint("kubectl get nodes")
}
