//! What one replica knows, and what it makes of what it sees. No client and no clock: both
//! times are passed in.

use std::time::{Duration, SystemTime};

use super::{
    issue::IssueError,
    names::ServiceNames,
    state::{Data, State, Unusable},
    step::{Change, Lifetimes, Request, Situation, Step, step},
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
    /// Since when the Secret is of no use, although a bundle is published.
    orphaned: Option<Duration>,
}

/// What is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The Secret's data, unless there is no Secret.
    pub(super) secret: Option<&'a Data>,
    /// What the Secret's annotation asks for.
    pub(super) request: Option<Request>,
    /// The bundle of each webhook of the configuration; none if there is no configuration.
    pub(super) published: &'a [&'a [u8]],
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Actions {
    /// A new content of the Secret.
    pub(super) write: Option<(Change, State)>,
    /// A bundle that is not what is published.
    pub(super) publish: Option<String>,
    /// Why the Secret is of no use.
    pub(super) unusable: Option<Unusable>,
    /// When to look again, from now, if nothing happens.
    pub(super) wake_in: Duration,
}

impl Replica {
    pub(super) const fn new(names: ServiceNames, lifetimes: Lifetimes) -> Self {
        Self { names, lifetimes, remembered: None, next: None, orphaned: None }
    }

    /// What is to be served and published.
    pub(super) const fn state(&self) -> Option<&State> {
        self.remembered.as_ref()
    }

    /// What is to be done about `view` at the time `now`, and at `monotonic` by a clock that
    /// never jumps.
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
    pub(super) fn lacks(&self, published: &[&[u8]], now: SystemTime) -> Option<Lack> {
        let Some(state) = &self.remembered else { return Some(Lack::Certificate) };
        if !state.serving.certificate.validity.includes(now) {
            return Some(Lack::ValidCertificate);
        }
        let ca = &state.ca.certificate;
        (!all_contain(published, ca)).then_some(Lack::PublishedBundle)
    }

    /// Starts and ends the time for which the next CA is published. As somebody may take it
    /// away, it starts anew with each absence.
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

/// What a replica lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Certificate,
    ValidCertificate,
    PublishedBundle,
}

impl Lack {
    /// The condition that does not hold.
    pub(super) const fn condition(self) -> Condition {
        match self {
            Self::Certificate | Self::ValidCertificate => Condition::Certificate,
            Self::PublishedBundle => Condition::CaBundle,
        }
    }
}

fn all_contain(published: &[&[u8]], certificate: &Certificate) -> bool {
    let contains = |bundle: &&[u8]| {
        std::str::from_utf8(bundle).is_ok_and(|bundle| bundle.contains(certificate.pem()))
    };
    !published.is_empty() && published.iter().all(contains)
}
