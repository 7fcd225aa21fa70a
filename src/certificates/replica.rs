//! What one replica knows, and the actions that follow from it. No client and no clock: callers
//! pass both times in.

use std::time::{Duration, SystemTime};

use super::{
    issue::IssueError,
    names::ServiceNames,
    state::{Data, State, Unusable},
    step::{Lifetimes, RotationRequest, SecretChange, Situation, Step, step},
};
use crate::{readiness::Condition, tls::Certificate};

/// One replica of the webhook.
#[derive(Debug)]
pub(super) struct Replica {
    names: ServiceNames,
    lifetimes: Lifetimes,
    remembered: Option<State>,
    /// The next CA, and since when it is published.
    next: Option<(Certificate, Duration)>,
    /// Since when the Secret has not been usable, although a bundle is published.
    orphaned: Option<Duration>,
}

/// What the replica sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The data of the Secret, if there is a Secret.
    pub(super) secret: Option<&'a Data>,
    /// What the annotation of the Secret asks for.
    pub(super) request: Option<RotationRequest>,
    /// The bundle of each webhook of the configuration; empty if there is no configuration.
    pub(super) published: &'a [&'a [u8]],
}

/// What to do.
#[derive(Debug)]
pub(super) struct Actions {
    /// The new content of the Secret.
    pub(super) write: Option<(SecretChange, State)>,
    /// The bundle to publish.
    pub(super) publish: Option<String>,
    /// Why the Secret is not usable.
    pub(super) unusable: Option<Unusable>,
    /// How long to wait if nothing happens.
    pub(super) wake_in: Duration,
}

impl Replica {
    pub(super) const fn new(names: ServiceNames, lifetimes: Lifetimes) -> Self {
        Self { names, lifetimes, remembered: None, next: None, orphaned: None }
    }

    /// The certificates to serve and publish.
    pub(super) const fn state(&self) -> Option<&State> {
        self.remembered.as_ref()
    }

    /// What to do about `view` at the time `now`, which is `monotonic` by a clock that never jumps.
    ///
    /// # Errors
    /// When a certificate cannot be made.
    pub(super) fn look(
        &mut self,
        view: &View<'_>,
        now: SystemTime,
        monotonic: Duration,
    ) -> Result<Actions, IssueError> {
        let (current, unusable) = match view.secret.ok_or(Unusable::NoSecret).and_then(State::read)
        {
            Ok(current) => (Some(current), None),
            Err(unusable) => (None, Some(unusable)),
        };
        let since = |since: Duration| monotonic.saturating_sub(since);
        self.follow_next(current.as_ref(), view.published, monotonic);
        self.orphaned = match self.orphaned {
            _ if current.is_some() || view.published.iter().all(|bundle| bundle.is_empty()) => None,
            orphaned => orphaned.or(Some(monotonic)),
        };
        let situation = Situation {
            current: current.as_ref(),
            remembered: self.remembered.as_ref(),
            next_published_for: self.next.as_ref().map(|(_, published)| since(*published)),
            orphaned_for: self.orphaned.map(since),
            is_for_us: current.as_ref().is_some_and(|current| {
                current.serving.certificate.is_for(&self.names.called_by_api_servers())
            }),
            request: view.request,
        };
        let step = step(&situation, now, &self.lifetimes);
        let (write, wake_in) = match step {
            Step::Keep { wake_in } => (None, wake_in),
            Step::Write(change) => {
                let (names, remembered) = (self.names.all(), self.remembered.as_ref());
                let state =
                    change.apply(current.as_ref(), remembered, &names, now, &self.lifetimes)?;
                (Some((change, state)), Duration::MAX)
            }
        };
        let mut publish = None;
        if let Some(current) = current
            && write.as_ref().is_none_or(|(change, _)| change.is_ordinary())
        {
            let bundle = current.bundle();
            if view.published.iter().any(|published| *published != bundle.as_bytes()) {
                publish = Some(bundle);
            }
            self.remembered = Some(current);
        }
        Ok(Actions { write, publish, unusable, wake_in })
    }

    /// Why this replica cannot serve at `now`, if it cannot.
    pub(super) fn not_ready(&self, published: &[&[u8]], now: SystemTime) -> Option<NotReady> {
        let Some(state) = &self.remembered else { return Some(NotReady::NoCertificate) };
        if !state.serving.certificate.validity.includes(now) {
            return Some(NotReady::CertificateNotValid);
        }
        let ca = &state.ca.certificate;
        (!all_contain(published, ca)).then_some(NotReady::BundleNotPublished)
    }

    /// Tracks since when the next CA is published. Others may remove it: the time starts again
    /// after each absence.
    fn follow_next(&mut self, current: Option<&State>, published: &[&[u8]], monotonic: Duration) {
        let next = current.and_then(|current| current.next.as_ref()).map(|next| &next.certificate);
        self.next = match (next, self.next.take()) {
            (Some(next), known) if all_contain(published, next) => match known {
                Some((known, since)) if known == *next => Some((known, since)),
                _ => Some((next.clone(), monotonic)),
            },
            _ => None,
        };
    }
}

/// Why a replica cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotReady {
    NoCertificate,
    CertificateNotValid,
    BundleNotPublished,
}

impl NotReady {
    /// The condition that does not hold.
    pub(super) const fn condition(self) -> Condition {
        match self {
            Self::NoCertificate | Self::CertificateNotValid => Condition::Certificate,
            Self::BundleNotPublished => Condition::CaBundle,
        }
    }
}

fn all_contain(published: &[&[u8]], certificate: &Certificate) -> bool {
    let contains = |bundle: &&[u8]| {
        std::str::from_utf8(bundle).is_ok_and(|bundle| bundle.contains(certificate.pem()))
    };
    !published.is_empty() && published.iter().all(contains)
}
