//! Who leaves, and which gateway still has whom.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use super::{
    left_out::{BoundedItem, LeftOut},
    outcome::{Departure, DepartureOutcome, VoidCause},
    pod_id::PodId,
    poll_schedule::{PollReason, PollSchedule},
};
use crate::constants::{
    CONFIRMED_ABSENCES, MAX_ADDRESSES_OF_A_POD, MAX_GATEWAYS, MAX_LEAVING_PODS, MAX_PROBLEM_CHARS,
    MAX_STALE_ADDRESSES, MAX_TRACKED_PODS, MAX_UNCERTAINTY, MAX_WAITING_OUTCOMES, STALE_AFTER,
    UNCERTAIN_PART,
};

/// Who leaves, and which gateway still has whom.
///
/// A gateway has dropped a Pod when [`CONFIRMED_ABSENCES`] answers in a row, all asked for after the
/// Pod left, have none of its addresses. The departure ends with the last of them: the workers of a
/// gateway answer in turn, and before that a worker that has not been heard may have the address.
#[derive(Debug, Default)]
pub struct Tracker {
    pods: HashMap<PodId, TrackedPod>,
    /// By when they left. The number of a Pod is higher than that of those that left before.
    leaving: BTreeMap<u64, LeavingPod>,
    departures: u64,
    gateways: BTreeMap<PodId, TrackedGateway>,
    schedule: PollSchedule,
    users: HashMap<SocketAddr, AddressUsers>,
    /// The keys of `users`.
    wanted: Arc<HashSet<SocketAddr>>,
    /// Those that no gateway has been seen to have.
    unseen: HashSet<SocketAddr>,
    outcomes: Vec<DepartureOutcome>,
    left_out: LeftOut,
}

/// What is known of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayState<'t> {
    /// The gateway.
    pub gateway: &'t PodId,
    /// Why the last poll has no answer, if it has none.
    pub problem: Option<&'t str>,
    /// How long ago the first Pod left that it still has. `None` if it has none. Stale addresses do not
    /// count.
    pub lag: Option<Duration>,
    /// The addresses that it should have dropped.
    pub stale: Vec<StaleAddress<'t>>,
}

/// An address that a gateway should have dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleAddress<'t> {
    /// The Pod.
    pub pod: &'t PodId,
    /// The address.
    pub address: SocketAddr,
    /// When the Pod left.
    pub left: Duration,
}

/// A Pod that a gateway has had for too long, and that is not stale yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverduePod<'t> {
    /// The Pod.
    pub pod: &'t PodId,
    /// The gateway.
    pub gateway: &'t PodId,
    /// When the Pod left.
    pub left: Duration,
}

#[derive(Debug)]
enum TrackedPod {
    Ready(BTreeSet<SocketAddr>),
    Leaving(u64),
}

#[derive(Debug)]
struct LeavingPod {
    pod: PodId,
    left: Duration,
    /// Not those at which another Pod is ready.
    addresses: Vec<SocketAddr>,
    /// How many gateways have not dropped it.
    waits: usize,
    dropped: Vec<(PodId, Duration)>,
}

#[derive(Debug, Default)]
struct TrackedGateway {
    problem: Option<String>,
    /// When the last answer that counts was asked for.
    counted: Option<Duration>,
    /// The Pods that it has not dropped, by their number.
    waits: BTreeMap<u64, GatewayAnswers>,
    stale: Vec<StalePod>,
}

/// What the answers of a gateway say of a Pod that leaves.
#[derive(Debug, Default)]
struct GatewayAnswers {
    /// How many answers in a row have none of its addresses.
    absences: u8,
    /// The address that an answer has had last.
    address: Option<SocketAddr>,
    /// When that answer was asked for.
    had_at: Option<Duration>,
}

#[derive(Debug)]
struct StalePod {
    pod: PodId,
    left: Duration,
    addresses: Vec<SocketAddr>,
    /// The last one that was present.
    address: SocketAddr,
    absences: u8,
}

/// Who uses an address.
#[derive(Debug, Default)]
struct AddressUsers {
    /// How many Pods are ready at it.
    ready: usize,
    /// How many leave it, and how often it is stale.
    left: usize,
}

impl Tracker {
    /// A Pod is ready at these addresses, and at no others.
    pub fn ready(&mut self, pod: PodId, addresses: BTreeSet<SocketAddr>) {
        if addresses.is_empty() {
            return self.forget(&pod);
        }
        if self.pods.len() >= MAX_TRACKED_PODS && !self.pods.contains_key(&pod) {
            self.left_out.add(BoundedItem::Pods, 1);
            return;
        }
        let too_many = addresses.len().saturating_sub(MAX_ADDRESSES_OF_A_POD);
        self.left_out.add(BoundedItem::Addresses, too_many as u64);
        let addresses: BTreeSet<_> = addresses.into_iter().take(MAX_ADDRESSES_OF_A_POD).collect();
        let life = self.pods.insert(pod, TrackedPod::Ready(addresses.clone()));
        let (before, returned) = match life {
            Some(TrackedPod::Ready(before)) => (before, None),
            Some(TrackedPod::Leaving(number)) => (BTreeSet::new(), Some(number)),
            None => (BTreeSet::new(), None),
        };
        for address in addresses.difference(&before) {
            self.users(*address).ready += 1;
        }
        for address in before.difference(&addresses) {
            self.users(*address).ready -= 1;
            self.forget_unused(*address);
        }
        if let Some(number) = returned {
            self.end(number, Some(VoidCause::Returned));
        }
        for address in addresses.difference(&before) {
            if self.users(*address).left > 0 {
                self.take_over(*address);
            }
        }
    }

    /// A Pod is no longer ready, or is gone.
    pub fn leave(&mut self, pod: &PodId, now: Duration) {
        let Some(TrackedPod::Ready(_)) = self.pods.get(pod) else { return };
        if self.leaving.len() >= MAX_LEAVING_PODS {
            self.left_out.add(BoundedItem::Departures, 1);
            return self.forget(pod);
        }
        let number = self.departures;
        self.departures += 1;
        let life = self.pods.insert(pod.clone(), TrackedPod::Leaving(number));
        let Some(TrackedPod::Ready(mut addresses)) = life else { return };
        addresses.retain(|address| {
            let users = self.users(*address);
            users.ready -= 1;
            let is_left = users.ready == 0;
            users.left += usize::from(is_left);
            is_left
        });
        let void = match (addresses.is_empty(), self.gateways.is_empty()) {
            (true, _) => Some(VoidCause::Returned),
            (false, true) => Some(VoidCause::NoGateway),
            (false, false) => None,
        };
        let leaving = LeavingPod {
            pod: pod.clone(),
            left: now,
            addresses: addresses.into_iter().collect(),
            waits: self.gateways.len(),
            dropped: Vec::new(),
        };
        self.leaving.insert(number, leaving);
        for gateway in self.gateways.values_mut() {
            gateway.waits.insert(number, GatewayAnswers::default());
        }
        match void {
            Some(_) => self.end(number, void),
            None => self.reschedule(),
        }
    }

    /// Forgets a Pod whose departure is not to be measured.
    pub fn forget(&mut self, pod: &PodId) {
        match self.pods.remove(pod) {
            Some(TrackedPod::Ready(addresses)) => {
                for address in addresses {
                    self.users(address).ready -= 1;
                    self.forget_unused(address);
                }
            }
            Some(TrackedPod::Leaving(number)) => self.end(number, None),
            None => {}
        }
    }

    /// There is such a gateway. The Pods that leave already do not wait for it.
    pub fn gateway(&mut self, gateway: PodId) {
        if self.gateways.contains_key(&gateway) {
            return;
        }
        if self.gateways.len() >= MAX_GATEWAYS {
            self.left_out.add(BoundedItem::Gateways, 1);
            return;
        }
        self.schedule.add(gateway.clone());
        self.gateways.insert(gateway, TrackedGateway::default());
    }

    /// A gateway is gone. No Pod waits for it any more.
    pub fn gateway_gone(&mut self, gateway: &PodId) {
        self.schedule.remove(gateway);
        let Some(gone) = self.gateways.remove(gateway) else { return };
        for number in gone.waits.into_keys() {
            self.waits_no_more(number);
        }
        for stale in gone.stale {
            self.end_stale(gateway, stale);
        }
    }

    /// The gateways to ask now. Each is asked again only after [`answered`](Self::answered) or
    /// [`failed`](Self::failed).
    pub fn due(&mut self, now: Duration) -> Vec<PodId> {
        self.expire(now);
        self.schedule.due(now)
    }

    /// When there is something to do next. `None`: nothing leaves, and nobody is asked.
    pub fn next_due(&self) -> Option<Duration> {
        let bound =
            self.leaving.values().next().map(|first| first.left.saturating_add(STALE_AFTER));
        self.schedule.next_due().into_iter().chain(bound).min()
    }

    /// The addresses worth keeping of an answer.
    pub fn wanted(&self) -> Arc<HashSet<SocketAddr>> {
        Arc::clone(&self.wanted)
    }

    /// A gateway that was asked at `asked_at` has these of the [`wanted`](Self::wanted) addresses.
    pub fn answered(
        &mut self,
        gateway: &PodId,
        asked_at: Duration,
        now: Duration,
        present: &HashSet<SocketAddr>,
    ) {
        self.expire(now);
        self.schedule.answered(gateway, now);
        let Some(state) = self.gateways.get_mut(gateway) else { return };
        self.unseen.retain(|address| !present.contains(address));
        state.problem = None;
        if state.counted.is_some_and(|counted| asked_at <= counted) {
            return;
        }
        state.counted = Some(asked_at);

        let mut dropped = Vec::new();
        for (number, answers) in &mut state.waits {
            let Some(leaving) = self.leaving.get(number) else { continue };
            if leaving.left <= asked_at && answers.is_dropped(asked_at, present, leaving) {
                dropped.push((*number, answers.is_known(leaving, now)));
            }
        }
        let is_over = |stale: &mut StalePod| stale.is_dropped(present);
        let ended: Vec<_> = state.stale.extract_if(.., is_over).collect();
        for (number, _) in &dropped {
            state.waits.remove(number);
        }
        for (number, is_known) in dropped {
            let Some(leaving) = self.leaving.get_mut(&number) else { continue };
            if is_known {
                leaving.dropped.push((gateway.clone(), now.saturating_sub(leaving.left)));
                self.waits_no_more(number);
            } else {
                let pod = leaving.pod.clone();
                self.report(DepartureOutcome::Unanswered { pod, gateway: gateway.clone() });
                self.end(number, None);
            }
        }
        for stale in ended {
            self.end_stale(gateway, stale);
        }
        self.reschedule();
    }

    /// A gateway that was asked has not answered.
    pub fn failed(&mut self, gateway: &PodId, now: Duration, problem: &str) {
        self.schedule.answered(gateway, now);
        if let Some(state) = self.gateways.get_mut(gateway) {
            state.problem = Some(problem.chars().take(MAX_PROBLEM_CHARS).collect());
        }
    }

    /// What became of Pods since the last call.
    pub fn take_outcomes(&mut self) -> Vec<DepartureOutcome> {
        mem::take(&mut self.outcomes)
    }

    /// What is known of each gateway, by name.
    pub fn gateways(&self, now: Duration) -> impl Iterator<Item = GatewayState<'_>> {
        self.gateways.iter().map(move |(gateway, state)| {
            let first = self.held(state).next();
            let stale = state.stale.iter();
            GatewayState {
                gateway,
                problem: state.problem.as_deref(),
                lag: first.map(|leaving| now.saturating_sub(leaving.left)),
                stale: stale.map(StalePod::address).collect(),
            }
        })
    }

    /// Who left longer than `max` ago, and which gateway still has it.
    pub fn overdue(&self, now: Duration, max: Duration) -> impl Iterator<Item = OverduePod<'_>> {
        self.gateways.iter().flat_map(move |(gateway, state)| {
            let held = self.held(state).map(move |leaving| OverduePod {
                pod: &leaving.pod,
                gateway,
                left: leaving.left,
            });
            held.filter(move |overdue| now.saturating_sub(overdue.left) > max)
        })
    }

    /// How many Pods have left that a gateway may have, but for stale addresses.
    pub fn leaving(&self) -> usize {
        self.leaving.len()
    }

    /// What was beyond a bound, and is not measured.
    pub const fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The Pods that leave and that a gateway has, the first to leave first.
    fn held<'t>(&'t self, gateway: &'t TrackedGateway) -> impl Iterator<Item = &'t LeavingPod> {
        let held = gateway.waits.iter().filter(|(_, answers)| answers.address.is_some());
        held.filter_map(|(number, _)| self.leaving.get(number))
    }

    /// Who uses an address. It is one to look for.
    fn users(&mut self, address: SocketAddr) -> &mut AddressUsers {
        self.users.entry(address).or_insert_with(|| {
            Arc::make_mut(&mut self.wanted).insert(address);
            self.unseen.insert(address);
            AddressUsers::default()
        })
    }

    /// An address has one user less.
    fn forget_unused(&mut self, address: SocketAddr) {
        let users = self.users(address);
        if users.ready == 0 && users.left == 0 {
            self.users.remove(&address);
            Arc::make_mut(&mut self.wanted).remove(&address);
            self.unseen.remove(&address);
        }
    }

    /// A Pod is ready at an address that another one has left: that gateways have it is no longer about
    /// the one that left.
    fn take_over(&mut self, address: SocketAddr) {
        let mut over = Vec::new();
        for (number, leaving) in &mut self.leaving {
            let before = leaving.addresses.len();
            leaving.addresses.retain(|other| *other != address);
            if leaving.addresses.len() < before {
                over.push((*number, leaving.addresses.is_empty()));
            }
        }
        let mut stale = Vec::new();
        for (name, gateway) in &mut self.gateways {
            for answers in gateway.waits.values_mut() {
                answers.address.take_if(|other| *other == address);
            }
            let is_at = |stale: &mut StalePod| stale.addresses.contains(&address);
            stale.extend(gateway.stale.extract_if(.., is_at).map(|stale| (name.clone(), stale)));
        }
        self.users(address).left -= over.len();
        for (number, is_over) in over {
            if is_over {
                self.end(number, Some(VoidCause::Returned));
            }
        }
        for (gateway, stale) in stale {
            self.end_stale(&gateway, stale);
        }
    }

    /// One gateway less has not dropped a Pod.
    fn waits_no_more(&mut self, number: u64) {
        let Some(leaving) = self.leaving.get_mut(&number) else { return };
        leaving.waits -= 1;
        if leaving.waits > 0 {
            return;
        }
        let mut gateways = mem::take(&mut leaving.dropped);
        gateways.sort_by_key(|(_, took)| Reverse(*took));
        let was_seen = leaving.addresses.iter().any(|address| !self.unseen.contains(address));
        match gateways.first() {
            None => self.end(number, Some(VoidCause::NoGateway)),
            Some(_) if !was_seen => self.end(number, Some(VoidCause::NeverSeen)),
            Some((_, took)) => {
                let departure = Departure { pod: leaving.pod.clone(), took: *took, gateways };
                self.report(DepartureOutcome::Dropped(departure));
                self.end(number, None);
            }
        }
    }

    /// A departure is over.
    fn end(&mut self, number: u64, void: Option<VoidCause>) {
        let Some(leaving) = self.leaving.remove(&number) else { return };
        for gateway in self.gateways.values_mut() {
            gateway.waits.remove(&number);
        }
        for address in leaving.addresses {
            self.users(address).left -= 1;
            self.forget_unused(address);
        }
        if let Some(TrackedPod::Leaving(_)) = self.pods.get(&leaving.pod) {
            self.pods.remove(&leaving.pod);
        }
        if let Some(cause) = void {
            self.report(DepartureOutcome::Void { pod: leaving.pod, cause });
        }
        self.reschedule();
    }

    /// An address is no longer stale.
    fn end_stale(&mut self, gateway: &PodId, stale: StalePod) {
        for address in stale.addresses {
            self.users(address).left -= 1;
            self.forget_unused(address);
        }
        self.report(DepartureOutcome::StaleEnded { pod: stale.pod, gateway: gateway.clone() });
        self.reschedule();
    }

    /// Ends the departures that take too long.
    fn expire(&mut self, now: Duration) {
        while let Some((&number, leaving)) = self.leaving.first_key_value()
            && now.saturating_sub(leaving.left) >= STALE_AFTER
        {
            self.give_up(number);
        }
    }

    /// Ends a departure although gateways have not dropped the Pod.
    fn give_up(&mut self, number: u64) {
        let Some(leaving) = self.leaving.get(&number) else { return };
        let (left, addresses) = (leaving.left, leaving.addresses.clone());
        let known: usize = self.gateways.values().map(|gateway| gateway.stale.len()).sum();
        let (mut outcomes, mut kept) = (Vec::new(), 0);
        for (name, gateway) in &mut self.gateways {
            let Some(answers) = gateway.waits.get(&number) else { continue };
            let pod = leaving.pod.clone();
            // What a gateway that no longer answers has had may be gone.
            let Some(address) = answers.address.filter(|_| gateway.problem.is_none()) else {
                outcomes.push(DepartureOutcome::Unanswered { pod, gateway: name.clone() });
                continue;
            };
            if known + kept < MAX_STALE_ADDRESSES {
                let (pod, addresses) = (pod.clone(), addresses.clone());
                gateway.stale.push(StalePod { pod, left, addresses, address, absences: 0 });
                kept += 1;
            } else {
                self.left_out.add(BoundedItem::StaleAddresses, 1);
            }
            outcomes.push(DepartureOutcome::Stale { pod, gateway: name.clone(), address, left });
        }
        for address in addresses {
            self.users(address).left += kept;
        }
        self.end(number, None);
        outcomes.into_iter().for_each(|outcome| self.report(outcome));
    }

    fn report(&mut self, outcome: DepartureOutcome) {
        if self.outcomes.len() < MAX_WAITING_OUTCOMES {
            self.outcomes.push(outcome);
        } else {
            self.left_out.add(BoundedItem::Outcomes, 1);
        }
    }

    /// Has each gateway asked for what it has not dropped.
    fn reschedule(&mut self) {
        for (name, gateway) in &self.gateways {
            let youngest = gateway.waits.keys().next_back();
            let youngest = youngest.and_then(|number| self.leaving.get(number));
            let reason = match youngest {
                Some(leaving) => Some(PollReason::Left(leaving.left)),
                None => (!gateway.stale.is_empty()).then_some(PollReason::Stale),
            };
            self.schedule.set(name, reason);
        }
    }
}

impl GatewayAnswers {
    /// Takes an answer that was asked for after the Pod left. Whether the gateway has dropped the Pod.
    fn is_dropped(
        &mut self,
        asked_at: Duration,
        present: &HashSet<SocketAddr>,
        leaving: &LeavingPod,
    ) -> bool {
        match leaving.addresses.iter().find(|address| present.contains(address)) {
            Some(address) => {
                *self = Self { absences: 0, address: Some(*address), had_at: Some(asked_at) };
            }
            None => self.absences = self.absences.saturating_add(1),
        }
        self.absences >= CONFIRMED_ABSENCES
    }

    /// Whether it is known well enough when the gateway dropped the Pod: it has answered often enough.
    fn is_known(&self, leaving: &LeavingPod, now: Duration) -> bool {
        let had_at = self.had_at.unwrap_or(leaving.left);
        let had_for = had_at.saturating_sub(leaving.left);
        now.saturating_sub(had_at) <= MAX_UNCERTAINTY + had_for / UNCERTAIN_PART
    }
}

impl StalePod {
    /// Takes an answer. Whether the gateway has dropped the Pod at last.
    fn is_dropped(&mut self, present: &HashSet<SocketAddr>) -> bool {
        match self.addresses.iter().find(|address| present.contains(address)) {
            Some(address) => {
                self.address = *address;
                self.absences = 0;
            }
            None => self.absences = self.absences.saturating_add(1),
        }
        self.absences >= CONFIRMED_ABSENCES
    }

    const fn address(&self) -> StaleAddress<'_> {
        StaleAddress { pod: &self.pod, address: self.address, left: self.left }
    }
}

#[cfg(test)]
mod tests;
