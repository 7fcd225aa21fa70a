//! Whether the process is ready for reviews, and if not, why.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use strum::{IntoStaticStr, VariantArray};

/// Something that must hold before reviews can come in. Each has one writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Condition {
    /// There is a certificate that is valid now.
    Certificate,
    /// Each webhook of the configuration trusts the CA of the certificate.
    CaBundle,
    /// What sends requests to Pods is known.
    Targets,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: &'static str,
}

/// The life of the process (starting, serving, draining: in this order, never back), and the
/// conditions that do not hold.
#[derive(Debug, Default)]
pub struct Readiness {
    stage: AtomicU8,
    unmet: Mutex<BTreeMap<Condition, String>>,
    notes: Mutex<BTreeMap<Condition, String>>,
    not_ready: Family<ConditionLabels, Gauge>,
}

const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Readiness {
    /// Adds the metric of the conditions to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        for condition in Condition::VARIANTS {
            self.not_ready.get_or_create_owned(&labels(*condition));
        }
        registry.register(
            "not_ready",
            "1 while the replica is not ready because of a condition",
            self.not_ready.clone(),
        );
    }

    /// The listeners accept connections.
    pub fn serve(&self) {
        self.stage.fetch_max(SERVING, Ordering::Relaxed);
    }

    /// The process is about to stop: it still answers, and asks clients to go elsewhere.
    pub fn drain(&self) {
        self.stage.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// Whether the process is about to stop.
    pub fn is_draining(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == DRAINING
    }

    /// Sets why `condition` does not hold, as one line, or `None` when it holds.
    pub fn set(&self, condition: Condition, problem: Option<String>) {
        let gauge = self.not_ready.get_or_create_owned(&labels(condition));
        gauge.set(problem.is_some().into());
        replace(&self.unmet, condition, problem);
    }

    /// Sets what is wrong although the process is ready, as one line, or `None`.
    pub fn note(&self, condition: Condition, problem: Option<String>) {
        replace(&self.notes, condition, problem);
    }

    /// What is wrong although the process is ready, as one line.
    pub fn notes(&self) -> Option<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let notes: Vec<_> = notes.values().map(String::as_str).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Ready, or every reason why not, as one line.
    ///
    /// # Errors
    /// When the process is not ready.
    pub fn check(&self) -> Result<(), String> {
        let unmet = self.unmet.lock().unwrap_or_else(PoisonError::into_inner);
        let stage = match self.stage.load(Ordering::Relaxed) {
            DRAINING => Some("draining"),
            SERVING => None,
            _ if unmet.is_empty() => Some("starting"),
            _ => None,
        };
        let problems: Vec<_> =
            stage.into_iter().chain(unmet.values().map(String::as_str)).collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(format!("not ready: {}", problems.join("; ")))
        }
    }
}

fn labels(condition: Condition) -> ConditionLabels {
    ConditionLabels { condition: condition.into() }
}

fn replace(of: &Mutex<BTreeMap<Condition, String>>, condition: Condition, problem: Option<String>) {
    let mut problems = of.lock().unwrap_or_else(PoisonError::into_inner);
    match problem {
        Some(problem) => _ = problems.insert(condition, problem),
        None => _ = problems.remove(&condition),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn every_condition_that_does_not_hold_is_named() {
        let readiness = Readiness::default();
        assert_eq!(readiness.check(), Err("not ready: starting".to_owned()));
        readiness.serve();
        assert_eq!(readiness.check(), Ok(()));
        readiness.set(Condition::CaBundle, Some("no bundle".to_owned()));
        readiness.set(Condition::Certificate, Some("no certificate".to_owned()));
        assert_eq!(readiness.check(), Err("not ready: no certificate; no bundle".to_owned()));
        readiness.set(Condition::Certificate, None);
        assert_eq!(readiness.check(), Err("not ready: no bundle".to_owned()));
        readiness.drain();
        assert_eq!(readiness.check(), Err("not ready: draining; no bundle".to_owned()));
    }

    #[test]
    fn the_metric_shows_each_condition() {
        let (readiness, mut registry) = (Readiness::default(), Registry::default());
        readiness.register(&mut registry);
        let shown = || {
            let mut page = String::new();
            encode(&mut page, &registry).unwrap();
            let mut lines: Vec<_> = page
                .lines()
                .filter_map(|line| line.strip_prefix("not_ready{condition="))
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines.join(" ")
        };
        let met = r#""ca_bundle"} 0 "certificate"} 0 "targets"} 0"#;
        assert_eq!(shown(), met);
        readiness.set(Condition::CaBundle, Some("no bundle".to_owned()));
        assert_eq!(shown(), met.replacen('0', "1", 1));
        readiness.set(Condition::CaBundle, None);
        assert_eq!(shown(), met);
    }

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::default();
        readiness.drain();
        readiness.serve();
        assert!(readiness.is_draining());
    }
}
