//! What else in the cluster matters.

use super::{
    check_id::CheckId,
    dry_run_pod::DryRun,
    facts::PreflightFacts,
    release::{HTTPS_PORT, IngressPolicy, IngressPort, PortOrName, ReleaseFacts},
    result::CheckResult,
};
use crate::constants::WEBHOOK_PORT;

/// Providers of clusters, by what comes first in the `providerID` of their nodes. With what each may need
/// before the API server reaches a webhook, and a command that shows it.
const PROVIDERS: [(&str, &str, &str); 2] = [
    (
        "aws://",
        "EKS: with an overlay network, the control plane does not reach Pods",
        "kubectl -n kube-system get daemonset aws-node",
    ),
    (
        "azure://",
        "AKS: its admissions enforcer keeps webhooks out of namespaces with the label control-plane",
        "kubectl get namespaces -l control-plane",
    ),
];
const OPENSHIFT: (&str, &str, &str) = (
    "config.openshift.io",
    "OpenShift: it chooses the user of Pods: set podSecurityContext.runAsUser, runAsGroup and fsGroup to null",
    "helm show values charts/apisix-prestop",
);
const GOOGLE: &str = "gce://";
/// The ports of private nodes that a control plane of GKE reaches without a firewall rule.
const GOOGLE_PORTS: [u16; 2] = [443, 10250];
/// Policy engines, by a group of their API.
const ENGINES: [(&str, &str); 3] = [
    ("kyverno.io", "Kyverno"),
    ("templates.gatekeeper.sh", "Gatekeeper"),
    ("policies.kubewarden.io", "Kubewarden"),
];

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let mut results = vec![policy_engine(facts)];
    results.extend(facts.releases.iter().map(network_policy));
    results.extend(providers(facts));
    results
}

fn policy_engine(facts: &PreflightFacts) -> CheckResult {
    let id = CheckId::PolicyEngine;
    let groups = match &facts.api_groups {
        Ok(groups) => groups,
        Err(why) => {
            let message = format!("the groups of the API cannot be read: {why}");
            return id.warn(message).hint("kubectl api-versions");
        }
    };
    let has = |group: &str| groups.iter().any(|it| it == group);
    let mut names: Vec<_> = ENGINES
        .iter()
        .filter(|(group, _)| has(group))
        .map(|(_, name)| (*name).to_owned())
        .collect();
    if !facts.policies.items.is_empty() {
        names.push(format!("{} MutatingAdmissionPolicies", facts.policies.items.len()));
    }
    match &names[..] {
        [] => id.pass("there is no policy engine"),
        names => id.pass(format!("policies come from {}", names.join(", "))),
    }
}

fn network_policy(release: &ReleaseFacts) -> CheckResult {
    let id = CheckId::NetworkPolicy;
    let namespace = &release.namespace;
    if let Some(unread) = release.network_policies.warning(id, "NetworkPolicies") {
        return unread;
    }
    let selects = |policy: &&IngressPolicy| {
        let types = &policy.spec.policy_types;
        let mut pods = release.pods.items.iter().filter(|pod| pod.is_there());
        (types.is_empty() || types.iter().any(|it| it == "Ingress"))
            && pods.any(|pod| policy.spec.pod_selector.selects(&pod.metadata.named.labels))
    };
    let selecting: Vec<_> = release.network_policies.items.iter().filter(selects).collect();
    let names: Vec<_> = selecting.iter().map(|it| it.metadata.name.as_str()).collect();
    let mut rules = selecting.iter().flat_map(|policy| &policy.spec.ingress);
    let port = release.webhook_port();
    let includes = |rule: &IngressPort| includes_webhook(rule, port);
    if selecting.is_empty() {
        id.pass(format!("no NetworkPolicy selects the replicas in namespace {namespace}"))
    } else if rules.any(|rule| rule.ports.is_empty() || rule.ports.iter().any(includes)) {
        id.pass(format!("NetworkPolicies let clients reach port {port} of the replicas"))
    } else {
        let names = names.join(", ");
        id.warn(format!("no rule of {names} lets the API server reach port {port} of the replicas"))
            .hint(format!("kubectl -n {namespace} describe networkpolicy"))
    }
}

fn includes_webhook(rule: &IngressPort, port: u16) -> bool {
    match &rule.port {
        None => true,
        Some(PortOrName::Name(name)) => name == HTTPS_PORT,
        Some(PortOrName::Number(first)) => {
            (*first..=rule.end_port.unwrap_or(*first)).contains(&port)
        }
    }
}

/// What the provider needs is a warning if it may be missing: before the installation, and when the API
/// server does not reach the webhook.
fn providers(facts: &PreflightFacts) -> Vec<CheckResult> {
    let id = CheckId::Provider;
    let is_on = |prefix| facts.nodes.items.iter().any(|it| it.provider_id.starts_with(prefix));
    let groups = facts.api_groups.as_deref().unwrap_or_default();
    let is_openshift = groups.iter().any(|group| group == OPENSHIFT.0);
    let found = PROVIDERS.iter().filter(|(prefix, ..)| is_on(*prefix));
    let found = found.chain(is_openshift.then_some(&OPENSHIFT));
    let is_missing = facts.is_pre || facts.dry_runs.iter().any(DryRun::is_unreached);
    let found = found.map(
        |(_, need, hint)| if is_missing { id.warn(*need).hint(*hint) } else { id.pass(*need) },
    );
    let google = is_on(GOOGLE).then(|| google(facts, is_missing));
    google.into_iter().chain(found).collect()
}

fn google(facts: &PreflightFacts, is_missing: bool) -> CheckResult {
    let id = CheckId::Provider;
    let port = facts.releases.first().map_or(WEBHOOK_PORT, ReleaseFacts::webhook_port);
    if GOOGLE_PORTS.contains(&port) {
        return id.pass(format!("GKE: the control plane reaches port {port} of private nodes"));
    }
    let message =
        format!("GKE: with private nodes, the control plane needs a firewall rule for port {port}");
    let hint = "gcloud compute firewall-rules list";
    if is_missing { id.warn(message).hint(hint) } else { id.pass(message) }
}
