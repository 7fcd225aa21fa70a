use proptest::prelude::*;
use rstest::rstest;

use super::{VoidCause::*, *};
use crate::constants::STALE_INTERVAL;

/// When Pods leave in the tests.
const LEFT: Duration = Duration::from_secs(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn pod(number: usize) -> PodId {
    PodId::new("shop", &format!("web-{number}"), &format!("pod-{number}"))
}

fn gateway(number: usize) -> PodId {
    PodId::new("apisix", &format!("gateway-{number}"), &format!("gateway-{number}"))
}

fn at(port: usize) -> SocketAddr {
    SocketAddr::from(([10, 244, (port / 250) as u8, (port % 250) as u8], 8080))
}

fn only(port: usize) -> BTreeSet<SocketAddr> {
    BTreeSet::from([at(port)])
}

/// A tracker with so many gateways.
fn tracker(gateways: usize) -> Tracker {
    let mut tracker = Tracker::default();
    for number in 0..gateways {
        tracker.gateway(gateway(number));
    }
    tracker
}

/// A gateway is asked at `asked`, and answers 10 ms later.
fn answer(tracker: &mut Tracker, number: usize, asked: Duration, present: &[SocketAddr]) {
    let present = present.iter().copied().collect();
    tracker.answered(&gateway(number), asked, asked + ms(10), &present);
}

/// Plays what gateways answer about one Pod: those before `|` before the Pod leaves, the others every
/// 100 ms from then on, and the last one over and over until the bound.
///
/// `P` present, `A` absent, `F` no answer, `-` not asked, `X` the gateway goes.
fn play(gateways: &[&str]) -> Vec<DepartureOutcome> {
    let mut tracker = tracker(gateways.len());
    tracker.ready(pod(0), only(0));
    let scripts: Vec<_> = gateways.iter().map(|script| script.split_once('|').unwrap()).collect();
    let step = |tracker: &mut Tracker, number, what, asked| match what {
        'P' => answer(tracker, number, asked, &[at(0)]),
        'A' => answer(tracker, number, asked, &[]),
        'F' => tracker.failed(&gateway(number), asked + ms(10), "connection refused"),
        'X' => tracker.gateway_gone(&gateway(number)),
        _ => {}
    };
    for (number, (before, _)) in scripts.iter().enumerate() {
        for (index, what) in before.chars().enumerate() {
            step(&mut tracker, number, what, ms(100 * index as u64));
        }
    }
    tracker.leave(&pod(0), LEFT);
    for index in 0..STALE_AFTER.as_millis() as usize / 100 {
        for (number, (_, after)) in scripts.iter().enumerate() {
            let what = after.chars().nth(index).or(after.chars().last()).unwrap();
            step(&mut tracker, number, what, LEFT + ms(100 * index as u64));
        }
    }
    tracker.due(LEFT + STALE_AFTER);
    assert!(tracker.leaving.is_empty(), "{:?}", tracker.leaving);
    tracker.take_outcomes()
}

/// How long the gateways took, in milliseconds, the longest first.
fn dropped(gateways: &[(usize, u64)]) -> Vec<DepartureOutcome> {
    vec![DepartureOutcome::Dropped(Departure {
        pod: pod(0),
        took: ms(gateways[0].1),
        gateways: gateways.iter().map(|(number, took)| (gateway(*number), ms(*took))).collect(),
    })]
}

fn void(cause: VoidCause) -> Vec<DepartureOutcome> {
    vec![DepartureOutcome::Void { pod: pod(0), cause }]
}

fn stale(number: usize) -> DepartureOutcome {
    DepartureOutcome::Stale { pod: pod(0), gateway: gateway(number), address: at(0), left: LEFT }
}

fn unanswered(number: usize) -> DepartureOutcome {
    DepartureOutcome::Unanswered { pod: pod(0), gateway: gateway(number) }
}

#[rstest]
#[case::one_worker(&["P|PPAAA"], dropped(&[(0, 410)]))]
#[case::gone_before_the_first_answer(&["P|AAA"], dropped(&[(0, 210)]))]
#[case::seen_only_after_it_left(&["A|PAAA"], dropped(&[(0, 310)]))]
#[case::two_workers_in_turn(&["P|APAPAAA"], dropped(&[(0, 610)]))]
#[case::three_workers_in_turn(&["P|AAPAAPAAA"], dropped(&[(0, 810)]))]
#[case::workers_in_turn_until_the_bound(&["P|APAP"], vec![stale(0)])]
#[case::one_worker_never_drops(&["P|AAP"], vec![stale(0)])]
#[case::the_slowest_of_two_counts(&["P|AAA", "P|PPPPAAA"], dropped(&[(1, 610), (0, 210)]))]
#[case::one_lags(&["P|AAA", "P|AAA", "P|PPPPPPPPPPPPPPPPPAAA"], dropped(&[(2, 1910), (0, 210), (1, 210)]))]
#[case::one_never_drops(&["P|AAA", "P|P"], vec![stale(1)])]
#[case::both_never_drop(&["P|P", "P|P"], vec![stale(0), stale(1)])]
#[case::one_never_answers(&["P|AAA", "F|F"], vec![unanswered(1)])]
#[case::one_is_never_asked(&["P|AAA", "-|-"], vec![unanswered(1)])]
#[case::one_stops_answering(&["P|AAA", "P|PPF"], vec![unanswered(1)])]
#[case::one_never_drops_and_one_never_answers(&["P|P", "F|F"], vec![stale(0), unanswered(1)])]
#[case::one_answer_fails(&["P|PAFAA"], dropped(&[(0, 410)]))]
#[case::no_answer_for_some_time(&["P|PA-------------------AA"], dropped(&[(0, 2210)]))]
#[case::no_answer_for_too_long(
    &["P|PFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFAAA"],
    vec![unanswered(0)]
)]
#[case::one_goes(&["P|AAA", "P|PPX"], dropped(&[(0, 210)]))]
#[case::one_goes_that_has_dropped_it(&["P|AAAX", "P|PPPPAAA"], dropped(&[(1, 610), (0, 210)]))]
#[case::all_go(&["P|PX", "P|PPX"], void(NoGateway))]
#[case::nobody_ever_had_it(&["A|AAA", "A|AAA"], void(NeverSeen))]
#[case::one_of_two_had_it(&["A|AAA", "P|PAAA"], dropped(&[(1, 310), (0, 210)]))]
fn what_gateways_answer(#[case] gateways: &[&str], #[case] expected: Vec<DepartureOutcome>) {
    assert_eq!(play(gateways), expected, "{gateways:?}");
}

#[test]
fn without_a_gateway_there_is_nothing_to_measure() {
    let mut tracker = tracker(0);
    tracker.ready(pod(0), only(0));
    tracker.leave(&pod(0), LEFT);
    assert_eq!(tracker.take_outcomes(), void(NoGateway));
    assert_eq!(tracker.next_due(), None);
}

#[test]
fn nobody_is_asked_while_nothing_leaves() {
    let mut tracker = tracker(1);
    assert_eq!(tracker.due(ms(0)), [gateway(0)], "once, when it appears");
    answer(&mut tracker, 0, ms(0), &[]);
    tracker.ready(pod(0), only(0));
    assert_eq!(tracker.next_due(), None);
    assert_eq!(tracker.due(ms(3_600_000)), []);
}

#[test]
fn pods_that_leave_together_cost_one_poll() {
    let mut tracker = tracker(1);
    for number in 0..100 {
        tracker.ready(pod(number), only(number));
    }
    let all: Vec<_> = (0..100).map(at).collect();
    tracker.due(ms(0));
    answer(&mut tracker, 0, ms(0), &all);
    let mut polls = 0;
    for number in 0..100 {
        tracker.leave(&pod(number), LEFT);
    }
    for now in (1000..3000).step_by(10).map(ms) {
        for asked in tracker.due(now) {
            polls += 1;
            tracker.answered(&asked, now, now, &HashSet::new());
        }
    }
    assert_eq!(tracker.take_outcomes().len(), 100);
    assert_eq!(polls, 3, "polls for 100 Pods");
    assert_eq!(tracker.next_due(), None);
}

#[test]
fn an_answer_asked_for_before_the_pod_left_does_not_count() {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), only(0));
    answer(&mut tracker, 0, ms(0), &[at(0)]);
    for asked in 1..10 {
        // The first Pod leaves while the answer is on its way.
        tracker.leave(&pod(0), LEFT);
        tracker.answered(&gateway(0), LEFT - ms(asked), LEFT + ms(100), &HashSet::new());
    }
    assert_eq!(tracker.take_outcomes(), []);
    for asked in 0..3 {
        answer(&mut tracker, 0, LEFT + ms(200 + 100 * asked), &[]);
    }
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 410)]));
}

#[test]
fn a_late_answer_does_not_count() {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), only(0));
    tracker.leave(&pod(0), LEFT);
    answer(&mut tracker, 0, LEFT + ms(500), &[at(0)]);
    // They were asked for before, or are the same answer again.
    for asked in [100, 200, 300, 400, 500, 500, 500] {
        answer(&mut tracker, 0, LEFT + ms(asked), &[]);
    }
    assert_eq!(tracker.take_outcomes(), []);
    // One that has the Pod does not take back what was confirmed since.
    answer(&mut tracker, 0, LEFT + ms(600), &[]);
    answer(&mut tracker, 0, LEFT + ms(700), &[]);
    answer(&mut tracker, 0, LEFT + ms(650), &[at(0)]);
    answer(&mut tracker, 0, LEFT + ms(800), &[]);
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 810)]));
}

#[test]
fn a_pod_that_returns_is_no_sample_and_can_leave_again() {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), only(0));
    answer(&mut tracker, 0, ms(0), &[at(0)]);
    tracker.leave(&pod(0), LEFT / 2);
    answer(&mut tracker, 0, LEFT / 2, &[]);
    tracker.ready(pod(0), only(0));
    assert_eq!(tracker.take_outcomes(), void(Returned));
    tracker.leave(&pod(0), LEFT);
    for index in 0..3 {
        answer(&mut tracker, 0, LEFT + ms(100 * index), &[]);
    }
    assert_eq!(
        tracker.take_outcomes(),
        dropped(&[(0, 210)]),
        "it has been seen before it returned"
    );
}

#[test]
fn a_pod_that_leaves_again_and_again_leaves_once() {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), only(0));
    answer(&mut tracker, 0, ms(0), &[at(0)]);
    for index in 0..3 {
        tracker.leave(&pod(0), LEFT + ms(100 * index));
        answer(&mut tracker, 0, LEFT + ms(100 * index), &[]);
    }
    tracker.leave(&pod(0), LEFT + ms(300));
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 210)]));
    assert!(tracker.leaving.is_empty());
}

#[test]
fn a_pod_that_never_was_ready_does_not_leave() {
    let mut tracker = tracker(1);
    tracker.leave(&pod(0), LEFT);
    tracker.ready(pod(1), BTreeSet::new());
    tracker.leave(&pod(1), LEFT);
    tracker.ready(pod(2), only(2));
    tracker.forget(&pod(2));
    tracker.leave(&pod(2), LEFT);
    assert_eq!(tracker.take_outcomes(), []);
    assert!(tracker.pods.is_empty() && tracker.wanted().is_empty(), "{tracker:?}");
}

#[test]
fn all_addresses_of_a_pod_have_to_go() {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), BTreeSet::from([at(0), at(1), at(2)]));
    tracker.leave(&pod(0), LEFT);
    for (index, present) in [vec![at(0), at(1), at(2)], vec![at(2)], vec![at(1)]].iter().enumerate()
    {
        answer(&mut tracker, 0, LEFT + ms(100 * index as u64), present);
    }
    assert_eq!(tracker.wanted().len(), 3);
    for index in 3..6 {
        answer(&mut tracker, 0, LEFT + ms(100 * index), &[]);
    }
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 510)]));
    assert!(tracker.wanted().is_empty(), "nothing is worth looking for");
}

#[test]
fn a_gateway_that_restarts_is_not_waited_for() {
    let mut tracker = tracker(2);
    tracker.ready(pod(0), only(0));
    answer(&mut tracker, 0, ms(0), &[at(0)]);
    tracker.leave(&pod(0), LEFT);
    answer(&mut tracker, 1, LEFT, &[at(0)]);
    tracker.gateway_gone(&gateway(1));
    tracker.gateway(gateway(2));
    for index in 0..3 {
        // The new one has the address for longer.
        answer(&mut tracker, 2, LEFT + ms(100 * index), &[at(0)]);
        answer(&mut tracker, 0, LEFT + ms(100 * index), &[]);
        // An answer of the one that is gone is on its way.
        answer(&mut tracker, 1, LEFT + ms(100 * index), &[]);
    }
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 210)]));
}

/// Pods on the network of one node: only IP and port together tell them apart.
#[test]
fn pods_that_share_an_ip_are_told_apart() {
    let shared = |port| SocketAddr::from(([192, 168, 0, 1], port));
    let mut tracker = tracker(1);
    tracker.ready(pod(0), BTreeSet::from([shared(80)]));
    tracker.ready(pod(1), BTreeSet::from([shared(81)]));
    tracker.leave(&pod(0), LEFT);
    answer(&mut tracker, 0, LEFT, &[shared(80), shared(81)]);
    for index in 1..4 {
        answer(&mut tracker, 0, LEFT + ms(100 * index), &[shared(81)]);
    }
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 310)]));
}

#[rstest]
#[case::after_it_left(false)]
#[case::before_it_left(true)]
fn a_pod_that_is_ready_at_the_address_of_one_that_leaves(#[case] before: bool) {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), only(0));
    answer(&mut tracker, 0, ms(0), &[at(0)]);
    if before {
        tracker.ready(pod(1), only(0));
    }
    tracker.leave(&pod(0), LEFT);
    tracker.ready(pod(1), only(0));
    assert_eq!(tracker.take_outcomes(), void(Returned), "the address is in use again");
    assert_eq!(tracker.wanted().len(), 1);
    tracker.leave(&pod(1), 2 * LEFT);
    for index in 0..3 {
        answer(&mut tracker, 0, 2 * LEFT + ms(100 * index), &[]);
    }
    let outcomes = tracker.take_outcomes();
    assert!(
        matches!(&outcomes[..], [DepartureOutcome::Dropped(of)] if of.pod == pod(1)),
        "{outcomes:?}"
    );
}

#[test]
fn the_addresses_that_are_left_count() {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), BTreeSet::from([at(0), at(1)]));
    tracker.leave(&pod(0), LEFT);
    answer(&mut tracker, 0, LEFT, &[at(0), at(1)]);
    tracker.ready(pod(1), only(0));
    for index in 1..4 {
        answer(&mut tracker, 0, LEFT + ms(100 * index), &[at(0)]);
    }
    assert_eq!(tracker.take_outcomes(), dropped(&[(0, 310)]));
}

/// A Pod that gateway 0 still has after the bound.
fn with_stale_address() -> Tracker {
    let mut tracker = tracker(1);
    tracker.ready(pod(0), only(0));
    tracker.leave(&pod(0), LEFT);
    answer(&mut tracker, 0, LEFT, &[at(0)]);
    tracker.due(LEFT + STALE_AFTER - ms(1));
    assert_eq!(tracker.take_outcomes(), [], "the bound");
    answer(&mut tracker, 0, LEFT + STALE_AFTER, &[at(0)]);
    assert_eq!(tracker.take_outcomes(), [stale(0)]);
    tracker
}

#[test]
fn a_stale_address_is_looked_at_until_it_ends() {
    let mut tracker = with_stale_address();
    let (mut now, mut polls) = (LEFT + STALE_AFTER, 0);
    let mut poll = |tracker: &mut Tracker, present: &[SocketAddr]| {
        let next = tracker.next_due().unwrap();
        assert!(next >= now + STALE_INTERVAL - ms(10), "asked at {next:?} after {now:?}");
        now = next;
        assert_eq!(tracker.due(now), [gateway(0)]);
        answer(tracker, 0, now, present);
        polls += 1;
        polls
    };
    for _ in 0..10 {
        poll(&mut tracker, &[at(0)]);
        poll(&mut tracker, &[]);
        poll(&mut tracker, &[]);
    }
    let state = tracker.gateways(LEFT).next().unwrap();
    let address = StaleAddress { pod: &pod(0), address: at(0), left: LEFT };
    assert_eq!((state.stale, state.lag), (vec![address], None));
    assert_eq!(poll(&mut tracker, &[]), 31);
    let ended = DepartureOutcome::StaleEnded { pod: pod(0), gateway: gateway(0) };
    assert_eq!(tracker.take_outcomes(), [ended]);
    assert!(tracker.wanted().is_empty());
    assert_eq!(tracker.next_due(), None);
}

#[rstest]
#[case::the_gateway_goes(|tracker: &mut Tracker| tracker.gateway_gone(&gateway(0)))]
#[case::the_pod_returns(|tracker: &mut Tracker| tracker.ready(pod(0), only(0)))]
#[case::another_pod_is_ready_at_it(|tracker: &mut Tracker| tracker.ready(pod(1), only(0)))]
fn a_stale_address_ends_when(#[case] happens: fn(&mut Tracker)) {
    let mut tracker = with_stale_address();
    happens(&mut tracker);
    let ended = DepartureOutcome::StaleEnded { pod: pod(0), gateway: gateway(0) };
    assert_eq!(tracker.take_outcomes(), [ended]);
    assert_eq!(tracker.next_due(), None);
    let ready = tracker.pods.len();
    assert_eq!(tracker.wanted().len(), ready, "only what is ready is worth looking for");
}

#[test]
fn what_is_known_of_a_gateway() {
    let mut tracker = tracker(2);
    tracker.ready(pod(0), only(0));
    tracker.leave(&pod(0), LEFT);
    answer(&mut tracker, 0, LEFT, &[at(0)]);
    tracker.failed(&gateway(1), LEFT, &"x".repeat(10_000));
    let now = LEFT + Duration::from_secs(8);
    let states: Vec<_> = tracker.gateways(now).collect();
    assert_eq!(states[0].lag, Some(Duration::from_secs(8)));
    assert_eq!((states[0].problem, states[1].lag), (None, None));
    assert_eq!(states[1].problem.unwrap().len(), MAX_PROBLEM_CHARS);
    let overdue = OverduePod { pod: &pod(0), gateway: &gateway(0), left: LEFT };
    let max = Duration::from_secs(7);
    assert_eq!(tracker.overdue(now, max).collect::<Vec<_>>(), [overdue]);
    assert_eq!(tracker.overdue(now, now).count(), 0);
    answer(&mut tracker, 1, now, &[]);
    assert_eq!(tracker.gateways(now).nth(1).unwrap().problem, None, "it has answered since");
}

fn left_out(tracker: &Tracker) -> Vec<(BoundedItem, u64)> {
    tracker.left_out().iter().collect()
}

#[test]
fn pods_and_addresses_beyond_the_bound_are_counted() {
    let mut tracker = tracker(0);
    tracker.ready(pod(0), (0..MAX_ADDRESSES_OF_A_POD + 3).map(at).collect());
    assert_eq!(tracker.wanted().len(), MAX_ADDRESSES_OF_A_POD);
    for number in 0..MAX_TRACKED_PODS + 5 {
        tracker.ready(pod(number), only(number));
    }
    assert_eq!(tracker.pods.len(), MAX_TRACKED_PODS);
    tracker.ready(pod(1), only(7));
    let expected = [(BoundedItem::Pods, 5), (BoundedItem::Addresses, 3)];
    assert_eq!(left_out(&tracker), expected, "a known Pod may change");
}

#[test]
fn gateways_beyond_the_bound_are_counted() {
    let mut tracker = tracker(MAX_GATEWAYS + 2);
    tracker.gateway(gateway(0));
    assert_eq!(tracker.gateways(LEFT).count(), MAX_GATEWAYS);
    assert_eq!(left_out(&tracker), [(BoundedItem::Gateways, 2)]);
}

#[test]
fn departures_and_stale_addresses_beyond_the_bound_are_counted() {
    let mut tracker = tracker(1);
    for number in 0..MAX_LEAVING_PODS + 4 {
        tracker.ready(pod(number), only(number));
    }
    for number in 0..MAX_LEAVING_PODS + 4 {
        tracker.leave(&pod(number), LEFT);
    }
    assert_eq!(tracker.leaving.len(), MAX_LEAVING_PODS);
    let mut expected = vec![(BoundedItem::Departures, 4)];
    assert_eq!(left_out(&tracker), expected);
    let all: Vec<_> = (0..MAX_LEAVING_PODS).map(at).collect();
    answer(&mut tracker, 0, LEFT, &all);
    tracker.due(LEFT + STALE_AFTER);
    assert_eq!(tracker.take_outcomes().len(), MAX_LEAVING_PODS, "all are told");
    assert_eq!(tracker.gateways(LEFT).next().unwrap().stale.len(), MAX_STALE_ADDRESSES);
    let stale = (MAX_LEAVING_PODS - MAX_STALE_ADDRESSES) as u64;
    expected.push((BoundedItem::StaleAddresses, stale));
    assert_eq!(left_out(&tracker), expected);
    assert_eq!(tracker.wanted().len(), MAX_STALE_ADDRESSES);
}

#[test]
fn outcomes_that_nobody_takes_are_counted() {
    let mut tracker = tracker(0);
    for _ in 0..MAX_WAITING_OUTCOMES + 6 {
        tracker.ready(pod(0), only(0));
        tracker.leave(&pod(0), LEFT);
    }
    assert_eq!(left_out(&tracker), [(BoundedItem::Outcomes, 6)]);
    assert_eq!(tracker.take_outcomes().len(), MAX_WAITING_OUTCOMES);
}

/// Something that happens to a few Pods, addresses and gateways.
#[derive(Clone, Debug)]
enum Event {
    Ready(usize, Vec<usize>),
    Leave(usize),
    Forget(usize),
    Gateway(usize),
    GatewayGone(usize),
    Due,
    Answered(usize, Duration, Vec<usize>),
    Failed(usize),
}

fn events() -> impl Strategy<Value = Vec<(Duration, Event)>> {
    let time = || prop_oneof![(0..400_000u64).prop_map(ms), Just(Duration::MAX)];
    let addresses = || prop::collection::vec(0..6usize, 0..4);
    let event = prop_oneof![
        4 => (0..5usize, addresses()).prop_map(|(pod, at)| Event::Ready(pod, at)),
        4 => (0..5usize).prop_map(Event::Leave),
        1 => (0..5usize).prop_map(Event::Forget),
        2 => (0..3usize).prop_map(Event::Gateway),
        1 => (0..3usize).prop_map(Event::GatewayGone),
        2 => Just(Event::Due),
        8 => (0..3usize, time(), addresses()).prop_map(|(g, asked, at)| Event::Answered(g, asked, at)),
        1 => (0..3usize).prop_map(Event::Failed),
    ];
    prop::collection::vec((time(), event), 1..120)
}

proptest! {
    /// Time may jump to and fro.
    #[test]
    fn whatever_happens_nothing_is_kept_that_nobody_needs(events in events()) {
        let mut tracker = Tracker::default();
        for (now, event) in &events {
            match event {
                Event::Ready(of, addresses) => {
                    tracker.ready(pod(*of), addresses.iter().copied().map(at).collect());
                }
                Event::Leave(of) => tracker.leave(&pod(*of), *now),
                Event::Forget(of) => tracker.forget(&pod(*of)),
                Event::Gateway(number) => tracker.gateway(gateway(*number)),
                Event::GatewayGone(number) => tracker.gateway_gone(&gateway(*number)),
                Event::Due => drop(tracker.due(*now)),
                Event::Answered(number, asked, addresses) => {
                    let present = addresses.iter().copied().map(at).collect();
                    tracker.answered(&gateway(*number), *asked, *now, &present);
                }
                Event::Failed(number) => tracker.failed(&gateway(*number), *now, "no route"),
            }
            let mut users = HashMap::<SocketAddr, (usize, usize)>::new();
            for life in tracker.pods.values() {
                if let TrackedPod::Ready(addresses) = life {
                    addresses.iter().for_each(|address| users.entry(*address).or_default().0 += 1);
                }
            }
            let stale = tracker.gateways.values().flat_map(|gateway| &gateway.stale);
            let stale = stale.flat_map(|stale| &stale.addresses);
            let leaving = tracker.leaving.values().flat_map(|leaving| &leaving.addresses);
            leaving.chain(stale).for_each(|address| users.entry(*address).or_default().1 += 1);
            let found: HashMap<_, _> =
                tracker.users.iter().map(|(at, users)| (*at, (users.ready, users.left))).collect();
            prop_assert_eq!(&users, &found);
            prop_assert_eq!(tracker.wanted().len(), users.len());
            prop_assert!(tracker.unseen.is_subset(&tracker.wanted()));
            let shared = users.values().find(|(ready, left)| *ready > 0 && *left > 0);
            prop_assert_eq!(shared, None, "a ready Pod takes an address over");
            for (number, leaving) in &tracker.leaving {
                let waits = tracker.gateways.values().filter(|g| g.waits.contains_key(number));
                prop_assert_eq!(waits.count(), leaving.waits);
                prop_assert!(leaving.waits > 0 && !leaving.addresses.is_empty());
            }
        }
        for number in 0..3 {
            tracker.gateway_gone(&gateway(number));
        }
        for of in 0..5 {
            tracker.forget(&pod(of));
        }
        prop_assert!(tracker.wanted().is_empty() && tracker.leaving.is_empty(), "{:?}", tracker);
    }
}
