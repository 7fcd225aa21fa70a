//! The next step of a rotation: a pure function of the situation and the time.
//!
//! The order of the steps leaves no gap. A CA is published before it signs a certificate, and stays
//! published until its last certificate has expired. So a replica can serve any certificate that it
//! finds in the Secret immediately.
//!
//! Clocks may be wrong, and a wrong clock discards nothing. A new CA starts its validity where the
//! previous CA started, and a serving certificate where its CA started. A replica whose clock is
//! ahead renews too early, but its certificates are valid for all others. A CA that has expired, or
//! is not valid yet because a clock is behind, is replaced in the ordinary way: validities only
//! grow, so replicas that disagree about the time do not undo each other's work. The monotonic
//! clock, which never jumps, measures how long a new CA is published.

use std::time::{Duration, SystemTime};

use super::state::State;
use crate::constants::CREATION_GRACE;

/// The lifetimes of certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// Of a CA.
    pub ca: Duration,
    /// Of a serving certificate.
    pub certificate: Duration,
    /// From the publication of a CA to its first signature.
    pub propagation: Duration,
}

impl Lifetimes {
    /// How long before it expires a CA is replaced: after two thirds of its life.
    fn ca_margin(&self) -> Duration {
        self.ca / 3
    }

    /// How long before it expires a serving certificate is renewed: after two thirds of its life.
    fn certificate_margin(&self) -> Duration {
        self.certificate / 3
    }
}

/// What the annotation on the Secret asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RotationRequest {
    /// A new serving certificate.
    Certificate,
    /// A new CA.
    Ca,
}

impl RotationRequest {
    /// Reads the value of the annotation.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "certificate" => Some(Self::Certificate),
            "ca" => Some(Self::Ca),
            _ => None,
        }
    }
}

/// What a replica sees and remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    /// The content of the Secret, if it is usable.
    pub(super) current: Option<&'a State>,
    /// The last content of the Secret that this replica used.
    pub(super) remembered: Option<&'a State>,
    /// For how long the next CA has been in the published bundle.
    pub(super) next_published_for: Option<Duration>,
    /// For how long the Secret has not been usable although a bundle is published; `None` without a
    /// bundle.
    pub(super) orphaned_for: Option<Duration>,
    /// Whether the serving certificate is for the name that API servers call.
    pub(super) is_for_us: bool,
    /// What the annotation asks for.
    pub(super) request: Option<RotationRequest>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Keep {
        /// How long to wait if nothing happens.
        wake_in: Duration,
    },
    /// Change the Secret.
    Write(SecretChange),
}

/// A change of the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretChange {
    /// To a new CA and a certificate of it.
    Create,
    /// To what this replica remembers.
    Restore,
    /// To what this replica remembers, which also trusts the CA in the Secret: a replica may serve a
    /// certificate of it.
    Merge,
    /// To a new serving certificate.
    Renew,
    /// To a state with a next CA, which is then published.
    Announce,
    /// The next CA becomes the CA, and signs a new serving certificate.
    Activate,
    /// To a state without the retired CAs that have expired.
    Forget,
    /// Only removes the request, which is already fulfilled.
    Acknowledge,
}

impl SecretChange {
    /// Whether the change is part of an ordinary rotation, which starts from a usable state.
    pub(super) const fn is_ordinary(self) -> bool {
        !matches!(self, Self::Create | Self::Restore | Self::Merge)
    }

    /// For the log, after "wrote the Secret".
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Create => "with a new CA and certificate",
            Self::Restore => "again, as it was before",
            Self::Merge => "again, as it was before, and trusts the CA that was found in it",
            Self::Renew => "with a new certificate",
            Self::Announce => "with a next CA to publish",
            Self::Activate => "with a certificate of the next CA, which is the CA now",
            Self::Forget => "without a CA whose last certificate has expired",
            Self::Acknowledge => "without the request, which is already being fulfilled",
        }
    }
}

/// The next step.
pub(super) fn step(situation: &Situation<'_>, now: SystemTime, lifetimes: &Lifetimes) -> Step {
    let Some(current) = situation.current else {
        return match (situation.remembered, situation.orphaned_for) {
            (Some(_), _) => Step::Write(SecretChange::Restore),
            // Another replica may remember.
            (None, Some(orphaned)) if orphaned < CREATION_GRACE => {
                Step::Keep { wake_in: CREATION_GRACE - orphaned }
            }
            (None, _) => Step::Write(SecretChange::Create),
        };
    };
    // API servers must trust the served certificate until it expires. And a rotation does not go
    // back: they may no longer trust the CA before.
    if let Some(remembered) = situation.remembered
        && remembered.serving.certificate.validity.includes(now)
        && (!current.trusts(&remembered.serving.certificate) || current.precedes(remembered))
    {
        return Step::Write(SecretChange::Merge);
    }
    course(current, situation, now, lifetimes)
}

/// The next step of an ordinary rotation.
fn course(
    current: &State,
    situation: &Situation<'_>,
    now: SystemTime,
    lifetimes: &Lifetimes,
) -> Step {
    let ca = current.ca.certificate.validity;
    let serving = current.serving.certificate.validity;
    let mut wakes = Vec::new();

    let until_next_ca = match now < ca.not_before {
        true => Duration::ZERO,
        false => ca.remaining(now).saturating_sub(lifetimes.ca_margin()),
    };
    match &current.next {
        Some(next) if next.certificate.validity.includes(now) => {
            // Until it is published, its publication is the next event.
            if let Some(published) = situation.next_published_for {
                let wait = lifetimes.propagation.saturating_sub(published);
                if wait.is_zero() {
                    return Step::Write(SecretChange::Activate);
                }
                wakes.push(wait);
            }
        }
        None if !until_next_ca.is_zero() && situation.request != Some(RotationRequest::Ca) => {
            wakes.push(until_next_ca);
        }
        // It is time for a next CA, or the next CA is not valid now.
        _ => return Step::Write(SecretChange::Announce),
    }

    // A new certificate is valid only within the validity of its CA: beyond that, renewing it changes
    // nothing.
    let until_renewal = serving.remaining(now).saturating_sub(lifetimes.certificate_margin());
    let is_too_late = until_renewal.is_zero() && serving.not_after < ca.not_after;
    let is_too_early = now < serving.not_before && ca.not_before < serving.not_before;
    if is_too_late
        || is_too_early
        || !situation.is_for_us
        || situation.request == Some(RotationRequest::Certificate)
    {
        return Step::Write(SecretChange::Renew);
    }
    wakes.push(until_renewal);
    // When it expires, the replica is no longer ready.
    wakes.push(serving.remaining(now));

    for retired in &current.retired {
        let left = retired.validity.remaining(now);
        if left.is_zero() {
            return Step::Write(SecretChange::Forget);
        }
        wakes.push(left);
    }
    if situation.request.is_some() {
        return Step::Write(SecretChange::Acknowledge);
    }
    let wake_in = wakes.into_iter().filter(|wake| !wake.is_zero()).min();
    Step::Keep { wake_in: wake_in.unwrap_or(Duration::MAX) }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use rstest::rstest;

    use super::{
        super::issue::{new_ca, sign},
        SecretChange::*,
        *,
    };
    use crate::tls::{Pair, Validity};

    const LIFETIMES: Lifetimes = Lifetimes {
        ca: Duration::from_secs(30_000),
        certificate: Duration::from_secs(3000),
        propagation: Duration::from_secs(60),
    };

    /// Second 0 of the tests.
    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second)
    }

    /// A CA and a serving certificate that end then, and have begun at 1000.
    fn state(ca_end: u64, serving_end: u64) -> State {
        let until = |end| Validity { not_before: at(1000), not_after: at(end) };
        let ca = new_ca(until(ca_end)).unwrap();
        let serving = sign(&ca, &["web.hooks.svc".to_owned()], until(serving_end)).unwrap();
        State { ca, serving, next: None, retired: Vec::new() }
    }

    fn fresh() -> State {
        state(31_000, 4000)
    }

    fn ca(end: u64) -> Pair {
        new_ca(Validity { not_before: at(1000), not_after: at(end) }).unwrap()
    }

    fn with_next(end: u64) -> State {
        State { next: Some(ca(end)), ..fresh() }
    }

    fn with_retired(end: u64) -> State {
        State { retired: vec![ca(end).certificate], ..fresh() }
    }

    fn seen(current: Option<&State>) -> Situation<'_> {
        Situation {
            current,
            remembered: None,
            next_published_for: None,
            orphaned_for: None,
            is_for_us: true,
            request: None,
        }
    }

    fn keep(seconds: u64) -> Step {
        Step::Keep { wake_in: Duration::from_secs(seconds) }
    }

    fn write(change: SecretChange) -> Step {
        Step::Write(change)
    }

    #[rstest]
    #[case::fresh(fresh(), 1000, keep(2000))]
    #[case::just_before_the_renewal(fresh(), 2999, keep(1))]
    #[case::two_thirds_of_the_certificate_are_over(fresh(), 3000, write(Renew))]
    #[case::the_certificate_has_ended(fresh(), 5000, write(Renew))]
    #[case::two_thirds_of_the_ca_are_over(state(31_000, 30_000), 21_000, write(Announce))]
    #[case::the_ca_has_ended(fresh(), 40_000, write(Announce))]
    #[case::a_clock_is_behind(fresh(), 900, write(Announce))]
    #[case::renewed_while_the_next_ca_is_not_published(with_next(60_000), 3000, write(Renew))]
    #[case::the_next_ca_is_not_published(with_next(60_000), 1000, keep(2000))]
    #[case::the_next_ca_has_ended(with_next(2000), 2500, write(Announce))]
    #[case::a_retired_ca_has_not_ended(with_retired(1500), 1400, keep(100))]
    #[case::a_retired_ca_has_ended(with_retired(1500), 1500, write(Forget))]
    fn the_course_of_time(#[case] state: State, #[case] second: u64, #[case] expected: Step) {
        let step = step(&seen(Some(&state)), at(second), &LIFETIMES);
        assert_eq!(step, expected, "at {second} with {state:?}");
    }

    #[rstest]
    #[case::not_published(None, keep(2000))]
    #[case::just_published(Some(0), keep(60))]
    #[case::not_for_long_enough(Some(59), keep(1))]
    #[case::for_long_enough(Some(60), write(Activate))]
    fn the_next_ca_waits_until_it_is_known(#[case] published: Option<u64>, #[case] expected: Step) {
        let state = with_next(60_000);
        let next_published_for = published.map(Duration::from_secs);
        let situation = Situation { next_published_for, ..seen(Some(&state)) };
        assert_eq!(step(&situation, at(1000), &LIFETIMES), expected, "published for {published:?}");
    }

    /// Towards the end of a CA that cannot be followed, nothing is renewed over and over.
    #[rstest]
    #[case::in_the_last_third(29_000)]
    #[case::at_the_end(30_999)]
    #[case::after_it(31_001)]
    fn a_certificate_that_ends_with_its_ca_is_kept(#[case] second: u64) {
        let state = State { next: Some(ca(60_000)), ..state(31_000, 31_000) };
        let step = step(&seen(Some(&state)), at(second), &LIFETIMES);
        assert!(matches!(step, Step::Keep { .. }), "at {second}: {step:?}");
    }

    #[rstest]
    #[case::certificate(fresh(), RotationRequest::Certificate, Renew)]
    #[case::ca(fresh(), RotationRequest::Ca, Announce)]
    #[case::ca_while_one_is_on_its_way(with_next(60_000), RotationRequest::Ca, Acknowledge)]
    fn what_is_asked_for_is_done(
        #[case] state: State,
        #[case] request: RotationRequest,
        #[case] change: SecretChange,
    ) {
        let situation = Situation { request: Some(request), ..seen(Some(&state)) };
        assert_eq!(step(&situation, at(1000), &LIFETIMES), write(change), "{request:?}");
    }

    #[test]
    fn a_certificate_for_another_service_is_renewed() {
        let state = fresh();
        let situation = Situation { is_for_us: false, ..seen(Some(&state)) };
        assert_eq!(step(&situation, at(1000), &LIFETIMES), write(Renew));
    }

    #[rstest]
    #[case::first_of_all(false, None, write(Create))]
    #[case::somebody_may_remember(false, Some(0), keep(3))]
    #[case::nobody_does(false, Some(3), write(Create))]
    #[case::we_remember(true, Some(0), write(Restore))]
    fn without_a_secret_that_can_be_used(
        #[case] remembers: bool,
        #[case] orphaned: Option<u64>,
        #[case] expected: Step,
    ) {
        let state = fresh();
        let situation = Situation {
            remembered: remembers.then_some(&state),
            orphaned_for: orphaned.map(Duration::from_secs),
            ..seen(None)
        };
        assert_eq!(step(&situation, at(1000), &LIFETIMES), expected);
    }

    #[rstest]
    #[case::what_is_served_goes_on(2000, write(Merge))]
    #[case::until_it_has_ended(4001, write(Renew))]
    fn a_secret_that_does_not_trust_what_we_serve(#[case] second: u64, #[case] expected: Step) {
        let (ours, found) = (fresh(), fresh());
        let situation = Situation { remembered: Some(&ours), ..seen(Some(&found)) };
        assert_eq!(step(&situation, at(second), &LIFETIMES), expected, "at {second}");
    }
}
