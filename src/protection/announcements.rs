//! Which findings a person should learn of, and when.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::finding::{Finding, Subject};
use crate::constants::{MAX_FINDINGS_OF_A_NAMESPACE, SETTLED_AFTER};

/// Which findings have been announced. Each is announced once for a workload and cause, when it has
/// lasted for [`SETTLED_AFTER`]: what ends by itself, in a rollout or while routes are replaced, is no
/// news.
#[derive(Debug, Default)]
pub struct Announcements {
    known: HashMap<FindingKey, Progress>,
}

type FindingKey = (Arc<str>, Subject, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Since(Duration),
    Announced,
}

impl Announcements {
    /// Of all present findings, one to announce now: of the namespace with the fewest so far, the
    /// oldest. `now` is the time since some moment that is always the same.
    pub fn next<'f>(
        &mut self,
        namespaces: impl Iterator<Item = &'f [Finding]>,
        now: Duration,
    ) -> Option<&'f Finding> {
        let mut known = HashMap::new();
        let mut best = None::<(usize, Duration, &Finding)>;
        for findings in namespaces {
            let mut announced = 0;
            let mut oldest = None::<(Duration, &Finding)>;
            let worth = findings.iter().filter(|finding| finding.cause.is_announced());
            for finding in worth.take(MAX_FINDINGS_OF_A_NAMESPACE) {
                let key = key(finding);
                let state = self.known.remove(&key).unwrap_or(Progress::Since(now));
                match state {
                    Progress::Announced => announced += 1,
                    Progress::Since(since) if now.saturating_sub(since) >= SETTLED_AFTER => {
                        if oldest.is_none_or(|(earlier, _)| since < earlier) {
                            oldest = Some((since, finding));
                        }
                    }
                    Progress::Since(_) => {}
                }
                known.insert(key, state);
            }
            if let Some((since, finding)) = oldest
                && best.is_none_or(|(fewest, earlier, _)| (announced, since) < (fewest, earlier))
            {
                best = Some((announced, since, finding));
            }
        }
        self.known = known;
        best.map(|(_, _, finding)| finding)
    }

    /// A finding was announced.
    pub fn announced(&mut self, finding: &Finding) {
        self.known.insert(key(finding), Progress::Announced);
    }

    /// A finding could not be announced: others come first.
    pub fn failed(&mut self, finding: &Finding, now: Duration) {
        self.known.insert(key(finding), Progress::Since(now));
    }
}

fn key(finding: &Finding) -> FindingKey {
    (finding.namespace.clone(), finding.subject.clone(), finding.cause.as_str())
}
