//! Whether what is known of the kinds is all.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::{constants::WATCH_FAILURE_BOUND, upstreams::Kind};

/// The state of the watch on a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KindState {
    /// It is not listed yet.
    Pending,
    /// It is listed and watched.
    Watched,
    /// The API server does not serve it.
    Absent,
    /// The watch fails.
    Failing {
        /// Whether it was listed before.
        was_listed: bool,
        /// Since when.
        since: Instant,
        /// Why.
        error: String,
    },
}

/// The states of all kinds, and whether the API server has said which of them it serves.
#[derive(Debug)]
pub(super) struct KindStates {
    pub(super) is_discovered: bool,
    kinds: BTreeMap<Kind, KindState>,
}

impl Default for KindStates {
    fn default() -> Self {
        let kinds = Kind::all().map(|kind| (kind, KindState::Pending)).collect();
        Self { is_discovered: false, kinds }
    }
}

impl KindStates {
    /// The state of a kind.
    pub(super) fn get(&self, kind: Kind) -> &KindState {
        self.kinds.get(&kind).unwrap_or(&KindState::Pending)
    }

    /// Replaces the state of a kind.
    pub(super) fn set(&mut self, kind: Kind, state: KindState) {
        self.kinds.insert(kind, state);
    }

    /// The watch on a kind fails.
    pub(super) fn fail(&mut self, kind: Kind, error: String) {
        let was_listed = matches!(self.get(kind), KindState::Watched | KindState::Absent);
        self.set(kind, KindState::Failing { was_listed, since: Instant::now(), error });
    }

    /// Whether every kind is known: what fails for a short while is still known well enough.
    pub(super) fn is_complete(&self, now: Instant) -> bool {
        self.is_discovered
            && self.kinds.values().all(|state| match state {
                KindState::Watched | KindState::Absent => true,
                KindState::Pending => false,
                KindState::Failing { was_listed, since, .. } => {
                    *was_listed && now.duration_since(*since) < WATCH_FAILURE_BOUND
                }
            })
    }

    /// The kinds that are not known, with why.
    pub(super) fn problems(&self) -> Vec<String> {
        let problems = self.kinds.iter().filter_map(|(kind, state)| match state {
            KindState::Failing { error, .. } => Some(format!("cannot watch {kind}: {error}")),
            KindState::Pending if self.is_discovered => Some(format!("{kind} is not listed yet")),
            _ => None,
        });
        let undiscovered =
            (!self.is_discovered).then(|| "the API server has not named its kinds".to_owned());
        undiscovered.into_iter().chain(problems).collect()
    }

    /// All kinds, and whether the watch on each fails.
    pub(super) fn failing(&self) -> impl Iterator<Item = (Kind, bool)> {
        self.kinds.iter().map(|(kind, state)| (*kind, matches!(state, KindState::Failing { .. })))
    }
}
