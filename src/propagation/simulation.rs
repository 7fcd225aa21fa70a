//! A test: simulates 50 gateways whose workers answer in turn, and 1,000 Pods that leave in a few
//! minutes. Gateways lag, hang, restart, and never drop some of the Pods.
//!
//! Each departure has the right outcome, and no sample is shorter than what the slowest worker took.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    ops::Range,
    sync::LazyLock,
    time::Duration,
};

use super::{DepartureOutcome, PodId, Tracker, VoidCause};
use crate::constants::{
    CONFIRMED_ABSENCES, MAX_POLLS_AT_ONCE, MIN_POLL_INTERVAL, POLL_SHARE, POLLS_OF_AN_AGE,
    STALE_AFTER,
};

const GATEWAYS: usize = 50;
const PODS: usize = 1000;
/// Between the first Pod that leaves and the last one.
const ROLLOUT: u64 = 180_000;
/// How long the longest answer takes, and how long it takes to see that there is none.
const SLOWEST_ANSWER: u64 = 40;
const ANSWER_TIMEOUT: u64 = 1000;
/// A gateway that hangs for some time, one that hangs for good, one that restarts, and the one that
/// appears instead.
const HANGS_FOR_SOME_TIME: (usize, Range<u64>) = (10, 60_000..75_000);
const HANGS_FOR_GOOD: (usize, u64) = (11, 170_000);
const RESTARTS: (usize, u64) = (12, 90_000);
const SUCCESSOR: usize = GATEWAYS;
/// The gateway that keeps some of the Pods, and until when.
const KEEPS: (usize, u64) = (13, 400_000);

#[derive(Clone, Debug)]
enum Event {
    Leave(usize),
    Return(usize),
    Restart,
    Answer { gateway: usize, asked: u64, present: Option<HashSet<SocketAddr>> },
}

/// Always the same number for the same things.
fn noise(of: impl Hash, below: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish() % below
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn pod(number: usize) -> PodId {
    PodId::new("shop", &format!("web-{number}"), &number.to_string())
}

fn gateway(number: usize) -> PodId {
    PodId::new("apisix", &format!("gateway-{number}"), &number.to_string())
}

fn number(pod: &PodId) -> usize {
    pod.uid.parse().unwrap()
}

fn address(pod: usize) -> SocketAddr {
    SocketAddr::from(([10, 244, (pod / 250) as u8, (pod % 250) as u8], 8080))
}

fn left(pod: usize) -> u64 {
    2000 + pod as u64 * ROLLOUT / PODS as u64
}

fn is_behind_apisix(pod: usize) -> bool {
    pod % 20 != 3
}

fn is_kept(pod: usize) -> bool {
    pod % 50 == 7
}

fn returns(pod: usize) -> bool {
    pod % 50 == 9
}

fn workers(gateway: usize) -> usize {
    1 + gateway % usize::from(CONFIRMED_ABSENCES)
}

/// How long after a Pod has left a worker has dropped it. One gateway in ten is slow.
fn drops_after(gateway: usize, worker: usize, pod: usize) -> u64 {
    let base = if gateway % 10 == 5 { 5000 } else { 100 };
    base + noise((gateway, pod), 1 + base / 2) + noise((gateway, worker, pod), 400)
}

/// How long after a Pod has left the slowest worker has dropped it.
fn slowest_of(gateway: usize, pod: usize) -> u64 {
    (0..workers(gateway)).map(|worker| drops_after(gateway, worker, pod)).max().unwrap()
}

fn hangs(gateway: usize, at: u64) -> bool {
    let (for_some_time, when) = HANGS_FOR_SOME_TIME;
    gateway == for_some_time && when.contains(&at)
        || gateway == HANGS_FOR_GOOD.0 && at >= HANGS_FOR_GOOD.1
}

/// How much later than it happened it may be known that a Pod is gone that has been gone for so long:
/// one poll later, and then the confirmations.
fn slack(took: u64) -> u64 {
    let rounds = (GATEWAYS as u64).div_ceil(MAX_POLLS_AT_ONCE as u64);
    // All other gateways may be asked first.
    let waits = rounds * MIN_POLL_INTERVAL.as_millis() as u64;
    // The interval grows while it goes on.
    let grown = took * 5 / 4 / u64::from(POLLS_OF_AN_AGE);
    let share = SLOWEST_ANSWER * u64::from(POLL_SHARE);
    u64::from(CONFIRMED_ABSENCES) * (grown.max(share) * 9 / 8 + waits) + SLOWEST_ANSWER
}

struct World {
    tracker: Tracker,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    /// When each gateway was asked.
    polls: BTreeMap<usize, Vec<u64>>,
    /// Those that have left and are not ready again.
    gone: BTreeSet<usize>,
    outcomes: BTreeMap<usize, Vec<DepartureOutcome>>,
}

impl World {
    fn schedule(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn run(&mut self) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let due = self.tracker.next_due().map(|due| due.as_micros().div_ceil(1000) as u64);
            let Some(next) = event.into_iter().chain(due).min() else { return };
            self.now = self.now.max(next);
            assert!(self.now < 2 * KEEPS.1, "somebody is asked for ever: {:?}", self.tracker);
            while let Some(first) = self.events.first_entry()
                && first.key().0 <= self.now
            {
                let event = first.remove();
                self.happen(event);
            }
            for asked in self.tracker.due(ms(self.now)) {
                self.ask(number(&asked));
            }
            for outcome in self.tracker.take_outcomes() {
                let of = match &outcome {
                    DepartureOutcome::Dropped(departure) => &departure.pod,
                    DepartureOutcome::Stale { pod, .. }
                    | DepartureOutcome::StaleEnded { pod, .. }
                    | DepartureOutcome::Unanswered { pod, .. }
                    | DepartureOutcome::Void { pod, .. } => pod,
                };
                self.outcomes.entry(number(of)).or_default().push(outcome);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let now = ms(self.now);
        match event {
            Event::Leave(number) => {
                self.gone.insert(number);
                self.tracker.leave(&pod(number), now);
            }
            Event::Return(number) => {
                self.gone.remove(&number);
                self.tracker.ready(pod(number), BTreeSet::from([address(number)]));
            }
            Event::Restart => {
                self.tracker.gateway_gone(&gateway(RESTARTS.0));
                self.tracker.gateway(gateway(SUCCESSOR));
            }
            Event::Answer { gateway: of, asked, present: Some(present) } => {
                self.tracker.answered(&gateway(of), ms(asked), now, &present);
            }
            Event::Answer { gateway: of, .. } => {
                self.tracker.failed(&gateway(of), now, "no answer");
            }
        }
    }

    /// A worker of the gateway answers halfway between question and answer.
    fn ask(&mut self, gateway: usize) {
        let asked = self.now;
        let polls = self.polls.entry(gateway).or_default();
        polls.push(asked);
        if hangs(gateway, asked) {
            let event = Event::Answer { gateway, asked, present: None };
            return self.schedule(asked + ANSWER_TIMEOUT, event);
        }
        let worker = polls.len() % workers(gateway);
        let takes = 2 + noise((gateway, asked), SLOWEST_ANSWER - 1);
        let at = asked + takes / 2;
        let has = |pod: &usize| {
            let is_kept = gateway == KEEPS.0 && is_kept(*pod) && at < KEEPS.1;
            let is_gone = at >= left(*pod) + drops_after(gateway, worker, *pod);
            is_behind_apisix(*pod) && (is_kept || !is_gone)
        };
        // What is ready matters only to the first answers, and what left long ago only if it is kept.
        let matters = |pod: &usize| asked < left(*pod) + 20_000 || is_kept(*pod);
        let present = match asked < left(0) {
            true => (0..PODS).filter(has).map(address).collect(),
            false => self.gone.iter().copied().filter(matters).filter(has).map(address).collect(),
        };
        self.schedule(asked + takes, Event::Answer { gateway, asked, present: Some(present) });
    }
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut world = World {
        tracker: Tracker::default(),
        now: 0,
        events: BTreeMap::new(),
        sequence: 0,
        polls: BTreeMap::new(),
        gone: BTreeSet::new(),
        outcomes: BTreeMap::new(),
    };
    (0..GATEWAYS).for_each(|number| world.tracker.gateway(gateway(number)));
    for number in 0..PODS {
        world.tracker.ready(pod(number), BTreeSet::from([address(number)]));
        world.schedule(left(number), Event::Leave(number));
        if returns(number) {
            world.schedule(left(number) + 50, Event::Return(number));
        }
    }
    world.schedule(RESTARTS.1, Event::Restart);
    world.run();
    world
});

#[test]
fn every_departure_has_the_right_outcome() {
    let world = &*WORLD;
    let (mut samples, mut longest_error) = (0, 0);
    for number in 0..PODS {
        let left = left(number);
        let found = world.outcomes.get(&number).map_or(&[][..], Vec::as_slice);
        let fault =
            |what: &str| format!("Pod {number}, which left at {left} ms: {what}: {found:?}");
        let slowest = |is_in: &dyn Fn(usize) -> bool| {
            let gateways = (0..GATEWAYS).filter(|gateway| is_in(*gateway));
            gateways.map(|gateway| slowest_of(gateway, number)).max().unwrap()
        };
        let (all, latest) = (slowest(&|_| true), slowest(&|_| true) + 2 * slack(10_000));
        // Whether a gateway may not have answered while it dropped the Pod.
        let hung = left < HANGS_FOR_SOME_TIME.1.end && left + latest >= HANGS_FOR_SOME_TIME.1.start
            || left + latest >= HANGS_FOR_GOOD.1;
        let is_unanswered = |gateway: usize| {
            let unanswered = |o: &DepartureOutcome| matches!(o, DepartureOutcome::Unanswered { gateway: of, .. } if *of == self::gateway(gateway));
            found.iter().any(unanswered)
        };
        let stale = DepartureOutcome::Stale {
            pod: pod(number),
            gateway: gateway(KEEPS.0),
            address: address(number),
            left: ms(left),
        };
        let ended = DepartureOutcome::StaleEnded { pod: pod(number), gateway: gateway(KEEPS.0) };
        if returns(number) {
            let void = DepartureOutcome::Void { pod: pod(number), cause: VoidCause::Returned };
            assert_eq!(found, [void], "{}", fault("it returned"));
        } else if left >= HANGS_FOR_GOOD.1 && !is_kept(number) {
            assert!(is_unanswered(HANGS_FOR_GOOD.0), "{}", fault("a gateway hung"));
            assert_eq!(found.len(), 1, "{}", fault("no more than that"));
        } else if hung && (is_unanswered(HANGS_FOR_SOME_TIME.0) || is_unanswered(HANGS_FOR_GOOD.0))
        {
            // The gateway hung when it dropped the Pod, or too long to know when that was.
        } else if is_kept(number) && is_behind_apisix(number) {
            assert_eq!(found, [stale, ended], "{}", fault("a gateway kept it"));
        } else if !is_behind_apisix(number) {
            let void = DepartureOutcome::Void { pod: pod(number), cause: VoidCause::NeverSeen };
            assert_eq!(found, [void], "{}", fault("no gateway ever had it"));
        } else {
            let [DepartureOutcome::Dropped(departure)] = found else {
                panic!("{}", fault("all dropped it"))
            };
            // The gateway that restarts may have dropped it or not.
            let lasting = slowest(&|gateway| gateway != RESTARTS.0);
            let took = departure.took.as_millis() as u64;
            samples += 1;
            longest_error = longest_error.max(took - took.min(all));
            assert!(took >= lasting, "{} of {lasting} ms", fault("the sample is too short"));
            assert!(
                took <= all + slack(all) || hung,
                "{}: {took} ms instead of {all} ms, and at most {} ms more",
                fault("the sample is too long"),
                slack(all),
            );
            let gateways: BTreeSet<_> = departure.gateways.iter().map(|(of, _)| of).collect();
            assert!(gateways.len() >= GATEWAYS - 1, "{}", fault("all gateways are named"));
        }
    }
    println!("{samples} samples, at most {longest_error} ms too long");
    assert!(samples > PODS * 3 / 4, "{samples} samples of {PODS} departures");
}

#[test]
fn the_polls_are_bounded() {
    let world = &*WORLD;
    let second = MIN_POLL_INTERVAL * 10;
    let most = |polls: &[u64]| {
        let in_second =
            |from: usize| polls[from..].partition_point(|at| ms(*at) < ms(polls[from]) + second);
        (0..polls.len()).map(in_second).max().unwrap_or(0)
    };
    for (gateway, polls) in &world.polls {
        let most = most(polls);
        assert!(most <= 10, "gateway {gateway} was asked {most} times in a second");
    }
    let mut all: Vec<_> = world.polls.values().flatten().copied().collect();
    all.sort_unstable();
    let most = most(&all);
    assert!(most <= 10 * MAX_POLLS_AT_ONCE, "{most} polls in a second of all gateways");
    assert!(most > 9 * MAX_POLLS_AT_ONCE, "only {most} polls in a second: nothing is tested");

    let (hangs, since) = HANGS_FOR_GOOD;
    let hung: Vec<_> = world.polls[&hangs].iter().filter(|at| **at >= since).collect();
    let apart = hung.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(apart >= 5 * ANSWER_TIMEOUT, "a gateway that hangs was asked again after {apart} ms");

    // After the bound only stale addresses are looked at.
    let end = left(PODS) + STALE_AFTER.as_millis() as u64;
    let late = all.iter().filter(|at| **at > end).count();
    let bound = (KEEPS.1 - end) / 30_000 + 5;
    assert!(late as u64 <= bound, "{late} polls after the last departure, and at most {bound}");
    println!("{} polls for {PODS} departures and {GATEWAYS} gateways", all.len());
}
