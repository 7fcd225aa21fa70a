//! Whether a Pod gets the hook and keeps it.

use super::{
    check_id::CheckId,
    dry_run_pod::{DryRun, DryRunPod},
    facts::PreflightFacts,
    installation::{our_policies, ours},
    namespaces::count,
    other_admission::later,
    result::CheckResult,
};

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let id = CheckId::DryRun;
    let mut kept = Vec::new();
    let mut results = Vec::new();
    for dry_run in &facts.dry_runs {
        let result = match &dry_run.outcome {
            Ok(pod) => fault(pod, &dry_run.namespace, facts).or_else(|| ignored_opt_out(dry_run)),
            Err(why) => Some(rejection(why, dry_run)),
        };
        match result {
            Some(result) => results.push(result),
            None => kept.push(dry_run.namespace.as_str()),
        }
    }
    if facts.dry_runs_left_out > 0 {
        let message = format!("{} more were left out", count(facts.dry_runs_left_out));
        results.push(id.warn(message).hint("apisix-prestop check -n NAMESPACE"));
    }
    if !kept.is_empty() {
        let message = format!("a Pod gets the hook in {}: {}", count(kept.len()), kept.join(", "));
        results.insert(0, id.pass(message));
    }
    if results.is_empty() {
        results.push(id.skip("not checked: no namespace has opted in"));
    }
    results
}

/// A rejection by others says nothing about the webhook.
fn rejection(why: &str, dry_run: &DryRun) -> CheckResult {
    let (id, namespace) = (CheckId::DryRun, &dry_run.namespace);
    let command = format!("kubectl -n {namespace} run try --image=none --dry-run=server -o yaml");
    if dry_run.is_unreached() {
        id.fail(format!("namespace {namespace}: the API server gets no answer: {why}"))
            .hint(command)
    } else {
        id.warn(format!("namespace {namespace}: the Pod is rejected: {why}")).hint(command)
    }
}

fn ignored_opt_out(dry_run: &DryRun) -> Option<CheckResult> {
    let namespace = &dry_run.namespace;
    let message = format!("namespace {namespace}: a Pod that opts out gets the hook");
    let hint = "kubectl get mutatingwebhookconfigurations -o yaml";
    let is_ignored = dry_run.opted_out.as_ref().is_ok_and(DryRunPod::has_record);
    is_ignored.then(|| CheckId::DryRun.warn(message).hint(hint))
}

fn fault(pod: &DryRunPod, namespace: &str, facts: &PreflightFacts) -> Option<CheckResult> {
    let id = CheckId::DryRun;
    let grace = pod.grace();
    let others = later(facts, &facts.labels_of(namespace));
    let who = match &others[..] {
        [] => "something after the webhook".to_owned(),
        [other] => other.clone(),
        all => format!("one of {}", all.join(", ")),
    };
    let result = match (pod.seconds(), pod.has_record()) {
        (Some(seconds), _) if i64::try_from(seconds).map_or(true, |it| it >= grace) => id.fail(format!(
            "namespace {namespace}: the Pod sleeps {seconds} s, and {who} leaves it {grace} s to stop"
        )),
        (Some(_), true) => return None,
        (Some(_), false) => {
            id.warn(format!("namespace {namespace}: {who} removes the record from the Pod"))
        }
        (None, true) => id.fail(format!("namespace {namespace}: {who} removes the hook")),
        (None, false) if facts.has_flag("--mode=observe") => {
            id.warn(format!("namespace {namespace}: the Pod has no hook, because of --mode observe"))
        }
        (None, false) if our_policies(facts).next().is_some() && ours(facts).next().is_none() => {
            let message = "the Pod has no hook: the MutatingAdmissionPolicy does not apply to it";
            let hint = "kubectl get mutatingadmissionpolicybindings";
            return Some(id.fail(format!("namespace {namespace}: {message}")).hint(hint));
        }
        (None, false) => {
            let also = if others.is_empty() { String::new() } else { format!(", or {who} removes it") };
            id.fail(format!(
                "namespace {namespace}: the Pod has no hook: the API server does not reach the webhook{also}"
            ))
        }
    };
    let command = match &others[..] {
        [] => format!("kubectl -n {namespace} run try --image=none --dry-run=server -o yaml"),
        _ => "kubectl get mutatingwebhookconfigurations".to_owned(),
    };
    Some(result.hint(command))
}

impl PreflightFacts {
    fn has_flag(&self, flag: &str) -> bool {
        let deployments = self.releases.iter().flat_map(|release| &release.deployments.items);
        deployments.into_iter().any(|deployment| deployment.has_flag(flag))
    }
}
