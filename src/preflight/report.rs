//! All results.

use std::collections::BTreeMap;

use super::{
    api_server,
    check_id::CheckId,
    dry_run,
    facts::PreflightFacts,
    installation, namespaces, other_admission, permissions, platform, replicas,
    result::{CheckResult, CheckStatus},
    served_certificate, workload_label,
};
use crate::constants::MAX_RESULTS_OF_A_CHECK;

/// All results, in the order of their sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightReport {
    /// The results.
    pub checks: Vec<CheckResult>,
}

impl PreflightReport {
    /// What `facts` say.
    pub fn of(facts: &PreflightFacts) -> Self {
        let mut checks =
            [api_server::check(facts), permissions::check(facts), platform::check(facts)].concat();
        if facts.is_pre {
            checks.extend(installation::check_earlier(facts));
        } else {
            checks.extend(installation::check(facts));
            for release in &facts.releases {
                checks.extend(replicas::check(release, &facts.own_version));
                checks.extend(served_certificate::check(release, facts.now));
            }
            checks.extend(namespaces::check(facts));
            checks.extend(workload_label::check(facts));
            checks.extend(dry_run::check(facts));
            checks.extend(other_admission::check(facts));
        }
        checks.sort_by_key(|result| result.id.section());
        Self { checks: bounded(checks) }
    }

    /// The worst result.
    pub fn status(&self) -> CheckStatus {
        self.checks.iter().map(|result| result.status).max().unwrap_or(CheckStatus::Pass)
    }
}

/// Keeps some results of each check, and says how many there are more.
fn bounded(results: Vec<CheckResult>) -> Vec<CheckResult> {
    let mut counts = BTreeMap::<CheckId, usize>::new();
    let mut kept = Vec::new();
    let mut more = BTreeMap::<CheckId, (usize, CheckStatus)>::new();
    for result in results {
        let count = counts.entry(result.id).or_default();
        *count += 1;
        if *count <= MAX_RESULTS_OF_A_CHECK {
            kept.push(result);
        } else {
            let (count, worst) = more.entry(result.id).or_insert((0, CheckStatus::Pass));
            *count += 1;
            *worst = result.status.max(*worst);
        }
    }
    for (id, (count, status)) in more {
        let message = format!("{count} more of the same kind");
        let place = kept.iter().rposition(|result| result.id == id).map_or(kept.len(), |it| it + 1);
        kept.insert(place, CheckResult { id, status, message, hint: None });
    }
    kept
}
