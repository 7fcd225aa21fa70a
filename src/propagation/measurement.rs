//! Collects what became of Pods into a report.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use super::{
    auto_delay::AutoDelaySettings,
    left_out::{BoundedItem, LeftOut},
    outcome::{Departure, DepartureOutcome},
    pod_id::PodId,
    report::{GatewayReport, OutlierReport, PropagationReport, StaleReport, WorkloadPropagation},
    sketch::Sketch,
    tracker::Tracker,
};
use crate::{
    constants::{LAG_FACTOR, LAG_MARGIN, MAX_GATEWAYS, MAX_MEASURED_WORKLOADS, MAX_OUTLIERS},
    units::Delay,
};

/// What is known of a Pod that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredPod {
    /// The kind and the name of its workload, such as `Deployment/web`.
    pub workload: Arc<str>,
    /// How long it sleeps before it stops, in seconds. `None` if that is not known.
    pub sleep: Option<u64>,
}

/// Collects what became of Pods into a report.
#[derive(Debug)]
pub struct Measurement {
    settings: AutoDelaySettings,
    configured: Option<Delay>,
    started: Duration,
    samples: Sketch,
    gateways: BTreeMap<PodId, Sketch>,
    workloads: BTreeMap<(Arc<str>, Arc<str>), WorkloadSamples>,
    outliers: Vec<OutlierReport>,
    left_out: LeftOut,
}

#[derive(Debug, Default)]
struct WorkloadSamples {
    samples: u64,
    slowest: Option<Duration>,
    /// The shortest sleep of its Pods: before and after a change they sleep differently.
    sleep: Option<u64>,
    ends_at_once: bool,
}

impl Measurement {
    /// A measurement that starts now. `configured` is the delay of the webhook, if it is known.
    pub fn new(settings: AutoDelaySettings, configured: Option<Delay>, now: Duration) -> Self {
        Self {
            settings,
            configured,
            started: now,
            samples: Sketch::new(),
            gateways: BTreeMap::new(),
            workloads: BTreeMap::new(),
            outliers: Vec::new(),
            left_out: LeftOut::default(),
        }
    }

    /// What became of a Pod, of which this is known.
    pub fn add(&mut self, outcome: &DepartureOutcome, of: Option<&MeasuredPod>) {
        let DepartureOutcome::Dropped(departure) = outcome else { return };
        if self.settings.is_outlier(departure.took) {
            return self.add_outlier(departure);
        }
        self.samples.record(departure.took);
        for (gateway, took) in &departure.gateways {
            let is_full = self.gateways.len() >= MAX_GATEWAYS;
            match self.gateways.entry(gateway.clone()) {
                Entry::Vacant(_) if is_full => self.left_out.add(BoundedItem::Gateways, 1),
                entry => entry.or_insert_with(Sketch::new).record(*took),
            }
        }
        let Some(of) = of else { return };
        let is_full = self.workloads.len() >= MAX_MEASURED_WORKLOADS;
        let key = (departure.pod.namespace.clone(), of.workload.clone());
        match self.workloads.entry(key) {
            Entry::Vacant(_) if is_full => self.left_out.add(BoundedItem::Workloads, 1),
            entry => entry.or_default().add(departure.took, of),
        }
    }

    /// The containers of a workload's Pod have ended within a second of SIGTERM.
    pub fn ends_at_once(&mut self, namespace: &str, workload: &str) {
        if let Some(samples) = self.workloads.get_mut(&(namespace.into(), workload.into())) {
            samples.ends_at_once = true;
        }
    }

    /// What the measurement comes to so far.
    pub fn report(&self, tracker: &Tracker, now: Duration) -> PropagationReport {
        let needed = self.samples.quantile(self.settings.quantile);
        PropagationReport {
            measured_for: now.saturating_sub(self.started),
            samples: self.samples.len(),
            p50: self.samples.quantile(0.5),
            p99: self.samples.quantile(0.99),
            max: self.samples.max(),
            histogram: self.samples.buckets(),
            gateways: self.gateways(tracker, now),
            workloads: self.workloads(),
            outliers: self.outliers(tracker, now),
            recommended: needed.map(|measured| self.settings.needed(measured)),
            configured: self.configured,
            left_out: self.left_out.clone().and(tracker.left_out()),
        }
    }

    fn add_outlier(&mut self, departure: &Departure) {
        if self.outliers.len() >= MAX_OUTLIERS {
            return self.left_out.add(BoundedItem::Outliers, 1);
        }
        let slowest = departure.gateways.first();
        self.outliers.push(OutlierReport {
            pod: departure.pod.to_string(),
            gateway: slowest.map_or_else(String::new, |(gateway, _)| gateway.to_string()),
            took: departure.took,
            has_ended: true,
        });
    }

    /// Those that have not ended, each with the first gateway that has the Pod, and then the others.
    fn outliers(&self, tracker: &Tracker, now: Duration) -> Vec<OutlierReport> {
        let mut known = HashSet::new();
        let overdue = tracker.overdue(now, self.settings.range.max.duration());
        let overdue =
            overdue.filter(|overdue| known.insert(overdue.pod)).map(|overdue| OutlierReport {
                pod: overdue.pod.to_string(),
                gateway: overdue.gateway.to_string(),
                took: now.saturating_sub(overdue.left),
                has_ended: false,
            });
        overdue.chain(self.outliers.iter().cloned()).take(MAX_OUTLIERS).collect()
    }

    /// The gateways that there are, and those that there were.
    fn gateways(&self, tracker: &Tracker, now: Duration) -> Vec<GatewayReport> {
        let mut reports = BTreeMap::<&PodId, GatewayReport>::new();
        for (gateway, samples) in &self.gateways {
            let report = GatewayReport {
                samples: samples.len(),
                p50: samples.quantile(0.5),
                p99: samples.quantile(0.99),
                max: samples.max(),
                ..GatewayReport::default()
            };
            reports.insert(gateway, report);
        }
        for state in tracker.gateways(now) {
            let report = reports.entry(state.gateway).or_default();
            let stale = state.stale.iter().map(|stale| StaleReport {
                pod: stale.pod.to_string(),
                address: stale.address,
                since: now.saturating_sub(stale.left),
            });
            report.stale = stale.collect();
            report.problem = state.problem.map(str::to_owned);
        }
        let medians: Vec<_> = reports.values().filter_map(|report| report.p50).collect();
        let reports = reports.into_iter().map(|(gateway, report)| GatewayReport {
            name: gateway.to_string(),
            lags: report.p50.is_some_and(|p50| lags(p50, &medians)),
            ..report
        });
        reports.collect()
    }

    fn workloads(&self) -> Vec<WorkloadPropagation> {
        let report = |((namespace, name), workload): (&(Arc<str>, Arc<str>), &WorkloadSamples)| {
            WorkloadPropagation {
                namespace: namespace.to_string(),
                name: name.to_string(),
                samples: workload.samples,
                slowest: workload.slowest,
                sleep: workload.sleep,
                ends_at_once: workload.ends_at_once,
            }
        };
        self.workloads.iter().map(report).collect()
    }
}

impl WorkloadSamples {
    fn add(&mut self, took: Duration, pod: &MeasuredPod) {
        // One Pod whose sleep is not known leaves that of the others.
        self.sleep = self.sleep.into_iter().chain(pod.sleep).min();
        self.samples += 1;
        self.slowest = self.slowest.max(Some(took));
    }
}

/// Whether a gateway with this median takes much longer than half of all.
fn lags(p50: Duration, medians: &[Duration]) -> bool {
    let mut others = medians.to_vec();
    others.sort();
    // Of two gateways, the faster one.
    let Some(median) = others.get(others.len().saturating_sub(1) / 2) else { return false };
    p50 > median.saturating_mul(LAG_FACTOR) && p50 > median.saturating_add(LAG_MARGIN)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::SocketAddr};

    use rstest::rstest;

    use super::{super::DelayRange, *};

    const START: Duration = Duration::from_secs(100);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn gateway(number: usize) -> PodId {
        PodId::new("apisix", &format!("gateway-{number}"), &number.to_string())
    }

    fn settings() -> AutoDelaySettings {
        let range = DelayRange { min: Delay::clamped(5), max: Delay::clamped(20) };
        AutoDelaySettings { range, factor: 1.25, ..AutoDelaySettings::default() }
    }

    fn measurement() -> Measurement {
        Measurement::new(settings(), Some(Delay::clamped(5)), START)
    }

    /// All of these gateways took so long, in milliseconds.
    fn dropped(gateways: &[(usize, u64)]) -> DepartureOutcome {
        let gateways: Vec<_> =
            gateways.iter().map(|(number, took)| (gateway(*number), ms(*took))).collect();
        let took = gateways[0].1;
        DepartureOutcome::Dropped(Departure {
            pod: PodId::new("shop", "web-1", "1"),
            took,
            gateways,
        })
    }

    fn pod(workload: &str, sleep: Option<u64>) -> MeasuredPod {
        MeasuredPod { workload: workload.into(), sleep }
    }

    fn report(measurement: &Measurement) -> PropagationReport {
        measurement.report(&Tracker::default(), START + Duration::from_secs(60))
    }

    #[test]
    fn without_samples_nothing_is_recommended() {
        let expected = PropagationReport {
            measured_for: Duration::from_secs(60),
            configured: Some(Delay::clamped(5)),
            ..PropagationReport::default()
        };
        assert_eq!(report(&measurement()), expected);
        let before = measurement().report(&Tracker::default(), Duration::ZERO);
        assert_eq!(before.measured_for, Duration::ZERO, "time has jumped back");
    }

    #[test]
    fn samples_make_the_quantiles_and_the_recommended_delay() {
        let mut measurement = measurement();
        for _ in 0..9 {
            measurement.add(&dropped(&[(0, 200), (1, 100)]), None);
        }
        measurement.add(&dropped(&[(1, 7000), (0, 200)]), None);
        let report = report(&measurement);
        assert_eq!((report.samples, report.p50), (10, Some(ms(200))));
        assert_eq!((report.p99, report.max), (Some(ms(7000)), Some(ms(7000))));
        assert_eq!(report.recommended, Some(Delay::clamped(10)), "7 s × 1.25 + 1 s");
        assert_eq!(report.histogram.iter().map(|bucket| bucket.count).sum::<u64>(), 10);
        let gateways: Vec<_> =
            report.gateways.iter().map(|g| (g.name.as_str(), g.samples, g.max, g.lags)).collect();
        let expected = [
            ("apisix/gateway-0", 10, Some(ms(200)), false),
            ("apisix/gateway-1", 10, Some(ms(7000)), false),
        ];
        assert_eq!(gateways, expected);
    }

    #[rstest]
    #[case::only_samples_count(DepartureOutcome::Void {
        pod: gateway(0),
        cause: crate::propagation::VoidCause::Returned,
    })]
    #[case::unanswered(DepartureOutcome::Unanswered { pod: gateway(0), gateway: gateway(1) })]
    #[case::stale_ended(DepartureOutcome::StaleEnded { pod: gateway(0), gateway: gateway(1) })]
    fn is_no_sample(#[case] outcome: DepartureOutcome) {
        let mut measurement = measurement();
        measurement.add(&outcome, Some(&pod("Deployment/web", Some(5))));
        assert_eq!(report(&measurement), report(&self::measurement()));
    }

    #[test]
    fn a_workload_has_its_slowest_pod_and_its_shortest_sleep() {
        let mut measurement = measurement();
        for (took, sleep) in [(300, Some(15)), (900, Some(5)), (100, None)] {
            measurement.add(&dropped(&[(0, took)]), Some(&pod("Deployment/web", sleep)));
        }
        measurement.add(&dropped(&[(0, 100)]), Some(&pod("Deployment/api", None)));
        measurement.add(&dropped(&[(0, 100)]), Some(&pod("Deployment/api", None)));
        measurement.ends_at_once("shop", "Deployment/api");
        measurement.ends_at_once("shop", "Deployment/unknown");
        let workload = |name: &str, samples, slowest, sleep, ends_at_once| WorkloadPropagation {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            samples,
            slowest: Some(ms(slowest)),
            sleep,
            ends_at_once,
        };
        let expected = [
            workload("Deployment/api", 2, 100, None, true),
            workload("Deployment/web", 3, 900, Some(5), false),
        ];
        assert_eq!(report(&measurement).workloads, expected);
    }

    #[rstest]
    #[case::alone(&[9000], &[])]
    #[case::all_alike(&[100, 110, 120], &[])]
    #[case::the_slower_one_of_two(&[100, 5000], &[1])]
    #[case::one_of_three(&[100, 5000, 120], &[1])]
    #[case::twice_as_long_is_not_enough(&[100, 900, 120], &[])]
    #[case::a_second_longer_is_not_enough(&[5000, 7000, 5000], &[])]
    #[case::the_slower_half(&[100, 100, 5000, 5000], &[2, 3])]
    #[case::most_are_slow(&[100, 5000, 5000], &[])]
    fn a_gateway_lags(#[case] took: &[u64], #[case] expected: &[usize]) {
        let mut measurement = measurement();
        let mut gateways: Vec<_> = took.iter().copied().enumerate().collect();
        gateways.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        measurement.add(&dropped(&gateways), None);
        let lagging = report(&measurement).gateways.into_iter().filter(|gateway| gateway.lags);
        let lagging: Vec<_> = lagging.map(|gateway| gateway.name).collect();
        let expected: Vec<_> = expected.iter().map(|n| gateway(*n).to_string()).collect();
        assert_eq!(lagging, expected, "{took:?}");
    }

    #[test]
    fn an_outage_is_an_outlier_and_no_sample() {
        let address = SocketAddr::from(([10, 244, 0, 9], 8080));
        let mut tracker = Tracker::default();
        let leaving = PodId::new("shop", "web-2", "2");
        tracker.ready(leaving.clone(), BTreeSet::from([address]));
        for number in 0..3 {
            tracker.gateway(gateway(number));
        }
        tracker.leave(&leaving, START);
        for number in 1..3 {
            tracker.answered(&gateway(number), START, START, &[address].into());
        }
        let mut measurement = measurement();
        measurement.add(&dropped(&[(0, 20_001), (1, 100)]), Some(&pod("Deployment/web", Some(5))));
        let outlier = |pod: &str, gateway: usize, took, has_ended| OutlierReport {
            pod: pod.to_owned(),
            gateway: self::gateway(gateway).to_string(),
            took: ms(took),
            has_ended,
        };
        let ended = outlier("shop/web-1", 0, 20_001, true);
        let report = measurement.report(&tracker, START + ms(20_000));
        assert_eq!((report.samples, &report.workloads[..]), (0, &[][..]));
        assert_eq!(report.outliers, std::slice::from_ref(&ended));
        let report = measurement.report(&tracker, START + ms(20_002));
        assert_eq!(report.outliers, [outlier("shop/web-2", 1, 20_002, false), ended]);
    }

    #[test]
    fn what_is_wrong_with_a_gateway_is_told() {
        let address = SocketAddr::from(([10, 244, 0, 9], 8080));
        let mut tracker = Tracker::default();
        let leaving = PodId::new("shop", "web-2", "2");
        tracker.ready(leaving.clone(), BTreeSet::from([address]));
        tracker.gateway(gateway(0));
        tracker.gateway(gateway(1));
        tracker.leave(&leaving, START);
        tracker.answered(&gateway(0), START, START, &[address].into());
        tracker.failed(&gateway(1), START, "nobody listens");
        let now = START + Duration::from_secs(150);
        tracker.due(now);
        let report = measurement().report(&tracker, now);
        let stale = StaleReport { pod: "shop/web-2".to_owned(), address, since: now - START };
        let named = |number| GatewayReport {
            name: gateway(number).to_string(),
            ..GatewayReport::default()
        };
        let problem = Some("nobody listens".to_owned());
        let expected = [
            GatewayReport { stale: vec![stale], ..named(0) },
            GatewayReport { problem, ..named(1) },
        ];
        assert_eq!(report.gateways, expected);
    }

    #[test]
    fn what_is_beyond_a_bound_is_counted() {
        let mut measurement = measurement();
        for number in 0..MAX_GATEWAYS + 2 {
            measurement.add(&dropped(&[(number, 100)]), None);
        }
        for number in 0..MAX_MEASURED_WORKLOADS + 3 {
            let pod = pod(&format!("Deployment/web-{number}"), None);
            measurement.add(&dropped(&[(0, 100)]), Some(&pod));
        }
        for _ in 0..MAX_OUTLIERS + 4 {
            measurement.add(&dropped(&[(0, 30_000)]), None);
        }
        let mut tracker = Tracker::default();
        for number in 0..=MAX_GATEWAYS {
            tracker.gateway(gateway(number));
        }
        let left_out: Vec<_> = measurement.report(&tracker, START).left_out.iter().collect();
        let expected = [
            (BoundedItem::Gateways, 2 + 1),
            (BoundedItem::Workloads, 3),
            (BoundedItem::Outliers, 4),
        ];
        assert_eq!(left_out, expected);
        let report = report(&measurement);
        assert_eq!(report.gateways.len(), MAX_GATEWAYS);
        assert_eq!(report.workloads.len(), MAX_MEASURED_WORKLOADS);
        assert_eq!(report.outliers.len(), MAX_OUTLIERS);
        let all = MAX_GATEWAYS + 2 + MAX_MEASURED_WORKLOADS + 3;
        assert_eq!(report.samples, all as u64, "the samples count all the same");
    }
}
