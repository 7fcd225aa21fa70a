//! When to ask which gateway.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::pod_id::PodId;
use crate::constants::{
    MAX_POLL_INTERVAL, MAX_POLLS_AT_ONCE, MIN_POLL_INTERVAL, POLL_SHARE, POLLS_OF_AN_AGE,
    STALE_INTERVAL,
};

/// The jitter makes an interval longer by at most one of so many parts.
const JITTER_SHARE: u32 = 8;

/// When to ask which gateway: each at most 10 times a second and for a fifth of the time, one poll at
/// a time, and all of them within a budget.
#[derive(Debug, Default)]
pub(super) struct PollSchedule {
    gateways: BTreeMap<PodId, GatewayPolls>,
    /// The polls of the last [`MIN_POLL_INTERVAL`], which the budget bounds.
    recent: VecDeque<Duration>,
}

/// Why a gateway is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollReason {
    /// It has not dropped a Pod. The youngest of them left then.
    Left(Duration),
    /// It only has stale addresses.
    Stale,
}

#[derive(Debug, Default)]
struct GatewayPolls {
    reason: Option<PollReason>,
    /// The last poll.
    asked: Option<Duration>,
    is_in_flight: bool,
    /// No poll before.
    earliest: Duration,
    polls: u64,
    /// How much longer the interval before the next poll is, in 256ths of what jitter may add.
    jitter: u8,
}

impl PollSchedule {
    /// A gateway appears. It is asked once, whether or not a Pod leaves.
    pub(super) fn add(&mut self, gateway: PodId) {
        self.gateways.entry(gateway).or_default();
    }

    /// A gateway is gone.
    pub(super) fn remove(&mut self, gateway: &PodId) {
        self.gateways.remove(gateway);
    }

    /// Why a gateway is to be asked from now on. `None`: it is not.
    pub(super) fn set(&mut self, gateway: &PodId, reason: Option<PollReason>) {
        if let Some(polls) = self.gateways.get_mut(gateway) {
            polls.reason = reason;
        }
    }

    /// The gateways to ask now, the most overdue first. Each is in flight until
    /// [`answered`](Self::answered).
    pub(super) fn due(&mut self, now: Duration) -> Vec<PodId> {
        while self.recent.front().is_some_and(|poll| now.saturating_sub(*poll) >= MIN_POLL_INTERVAL)
        {
            self.recent.pop_front();
        }
        let mut due: Vec<_> = self
            .gateways
            .iter()
            .filter_map(|(gateway, polls)| Some((polls.next()?, gateway.clone())))
            .filter(|(next, _)| *next <= now)
            .collect();
        due.sort();
        due.truncate(MAX_POLLS_AT_ONCE.saturating_sub(self.recent.len()));
        let due: Vec<_> = due.into_iter().map(|(_, gateway)| gateway).collect();
        for gateway in &due {
            self.recent.push_back(now);
            if let Some(polls) = self.gateways.get_mut(gateway) {
                polls.asked = Some(now);
                polls.is_in_flight = true;
                polls.earliest = now.saturating_add(MIN_POLL_INTERVAL);
                polls.polls += 1;
                polls.jitter = jitter(gateway, polls.polls);
            }
        }
        due
    }

    /// A poll is over, with an answer or without one.
    pub(super) fn answered(&mut self, gateway: &PodId, now: Duration) {
        if let Some(polls) = self.gateways.get_mut(gateway)
            && let Some(asked) = polls.asked
        {
            let rest = now.saturating_sub(asked).saturating_mul(POLL_SHARE - 1);
            polls.is_in_flight = false;
            polls.earliest = polls.earliest.max(now.saturating_add(rest));
        }
    }

    /// When the next gateway is due. `None` if none is to be asked.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let next = self.gateways.values().filter_map(GatewayPolls::next).min()?;
        let full = self.recent.len().checked_sub(MAX_POLLS_AT_ONCE);
        let within_budget = full.and_then(|index| self.recent.get(index));
        Some(within_budget.map_or(next, |poll| next.max(poll.saturating_add(MIN_POLL_INTERVAL))))
    }
}

impl GatewayPolls {
    /// When to ask. `None`: not at all, or not before the answer.
    fn next(&self) -> Option<Duration> {
        if self.is_in_flight {
            return None;
        }
        let Some(asked) = self.asked else { return Some(self.earliest) };
        let interval = match self.reason? {
            PollReason::Left(left) if left > asked => return Some(self.earliest),
            PollReason::Left(left) => interval(asked.saturating_sub(left)),
            PollReason::Stale => STALE_INTERVAL,
        };
        let jitter = interval / JITTER_SHARE / 256 * u32::from(self.jitter);
        Some(asked.saturating_add(interval).saturating_add(jitter).max(self.earliest))
    }
}

/// Differs from gateway to gateway and from poll to poll: those that were asked together are not for
/// long.
fn jitter(gateway: &PodId, polls: u64) -> u8 {
    let mut hasher = DefaultHasher::new();
    (&gateway.uid, polls).hash(&mut hasher);
    hasher.finish() as u8
}

/// How long to wait before a gateway is asked again, when the youngest Pod that it has not dropped
/// left so long ago.
fn interval(age: Duration) -> Duration {
    (age / POLLS_OF_AN_AGE).clamp(MIN_POLL_INTERVAL, MAX_POLL_INTERVAL)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn gateway(number: usize) -> PodId {
        PodId::new("apisix", &format!("gateway-{number}"), &number.to_string())
    }

    /// Gateways that have answered once.
    fn schedule(gateways: usize) -> PollSchedule {
        let mut schedule = PollSchedule::default();
        for number in 0..gateways {
            schedule.add(gateway(number));
        }
        for asked in schedule.due(Duration::ZERO) {
            schedule.answered(&asked, Duration::ZERO);
        }
        schedule
    }

    #[rstest]
    #[case::at_once(0, 100)]
    #[case::at_two_seconds(2000, 100)]
    #[case::at_ten_seconds(10_000, 500)]
    #[case::at_forty_seconds(40_000, 2000)]
    #[case::later(100_000, 2000)]
    fn the_interval_grows_with_the_age(#[case] age: u64, #[case] expected: u64) {
        assert_eq!(interval(ms(age)), ms(expected), "{age} ms after the Pod left");
    }

    #[test]
    fn a_gateway_that_appears_is_asked_once() {
        let mut schedule = PollSchedule::default();
        assert_eq!(schedule.next_due(), None, "without a gateway");
        schedule.add(gateway(0));
        assert_eq!(schedule.due(ms(5)), [gateway(0)]);
        assert_eq!(schedule.next_due(), None, "in flight");
        schedule.answered(&gateway(0), ms(6));
        schedule.add(gateway(0));
        assert_eq!(schedule.next_due(), None, "nothing leaves");
        assert_eq!(schedule.due(ms(60_000)), []);
    }

    #[test]
    fn a_gateway_is_asked_at_once_when_a_pod_leaves() {
        let mut schedule = schedule(1);
        schedule.set(&gateway(0), Some(PollReason::Left(ms(5000))));
        assert!(schedule.next_due().unwrap() <= ms(5000));
        assert_eq!(schedule.due(ms(5000)), [gateway(0)]);
    }

    #[test]
    fn only_one_poll_of_a_gateway_is_in_flight() {
        let mut schedule = schedule(1);
        schedule.set(&gateway(0), Some(PollReason::Left(ms(5000))));
        assert_eq!(schedule.due(ms(5000)), [gateway(0)]);
        schedule.set(&gateway(0), Some(PollReason::Left(ms(5500))));
        assert_eq!(schedule.due(ms(9000)), [], "the first is not over");
        schedule.answered(&gateway(0), ms(9000));
        assert_eq!(schedule.due(ms(24_999)), [], "its answer took 4 s");
        assert_eq!(schedule.due(ms(25_000)), [gateway(0)], "4 s of 20 s");
    }

    #[test]
    fn a_stale_address_is_looked_at_twice_a_minute() {
        let mut schedule = schedule(1);
        schedule.set(&gateway(0), Some(PollReason::Stale));
        assert_eq!(schedule.due(STALE_INTERVAL - ms(1)), []);
        assert_eq!(schedule.due(STALE_INTERVAL * 9 / 8), [gateway(0)]);
    }

    #[test]
    fn a_gateway_that_is_gone_is_not_asked() {
        let mut schedule = schedule(1);
        schedule.set(&gateway(0), Some(PollReason::Left(ms(5000))));
        schedule.remove(&gateway(0));
        assert_eq!(schedule.next_due(), None);
        assert_eq!(schedule.due(ms(9000)), []);
    }

    #[test]
    fn the_budget_is_shared_and_the_most_overdue_come_first() {
        let mut schedule = PollSchedule::default();
        for number in 0..MAX_POLLS_AT_ONCE + 5 {
            schedule.add(gateway(number));
        }
        let first = schedule.due(ms(10));
        assert_eq!(first.len(), MAX_POLLS_AT_ONCE);
        for asked in &first {
            schedule.answered(asked, ms(20));
            schedule.set(asked, Some(PollReason::Left(ms(15))));
        }
        assert_eq!(schedule.due(ms(109)), [], "the budget is used up");
        assert_eq!(schedule.next_due(), Some(ms(110)));
        let second = schedule.due(ms(110));
        assert_eq!(second.len(), MAX_POLLS_AT_ONCE);
        assert!(second[..5].iter().all(|asked| !first.contains(asked)), "{second:?}");
    }

    proptest! {
        /// Whatever leaves, however long the answers take, and however time jumps.
        #[test]
        fn the_bounds_hold(
            steps in prop::collection::vec((0..120u64, 0..4usize, 0..400u64, 0..10u8), 1..300),
        ) {
            let mut schedule = schedule(4);
            let (mut now, mut polls) = (ms(1000), Vec::new());
            let mut in_flight = BTreeMap::new();
            for (passed, number, took, what) in steps {
                now = if what == 0 { now.saturating_sub(ms(passed)) } else { now + ms(passed) };
                schedule.set(&gateway(number), Some(PollReason::Left(now)));
                for asked in schedule.due(now) {
                    prop_assert!(!in_flight.contains_key(&asked), "two polls of {asked}");
                    polls.push((asked.clone(), now));
                    in_flight.insert(asked, now + ms(took));
                }
                in_flight.retain(|asked, over| {
                    let is_over = *over <= now;
                    if is_over {
                        schedule.answered(asked, now);
                    }
                    !is_over
                });
            }
            for number in 0..4 {
                let times: Vec<_> =
                    polls.iter().filter(|(asked, _)| *asked == gateway(number)).collect();
                for pair in times.windows(2) {
                    prop_assert!(pair[1].1 >= pair[0].1 + MIN_POLL_INTERVAL, "{pair:?}");
                }
            }
        }
    }
}
