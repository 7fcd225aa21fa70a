//! The metrics of how long APISIX takes to let go of a Pod.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    sync::atomic::AtomicU64,
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use strum::VariantArray;

use crate::{
    constants::MAX_WORKLOADS_WITH_HEADROOM,
    propagation::{BoundedItem, DelayChangeCause, LeftOut, Tracker},
    protection::WorkloadPlace,
    units::Delay,
};

type SecondsGauge = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct GatewayLabels {
    gateway: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct WorkloadLabels {
    namespace: String,
    workload: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ItemLabels {
    item: &'static str,
}

/// The metrics of how long APISIX takes to let go of a Pod. Only the replica that holds the Lease shows
/// them, but for the delay.
#[derive(Clone, Debug)]
pub(crate) struct PropagationMetrics {
    propagation: Histogram,
    outliers: Counter,
    left_out: Family<ItemLabels, Counter>,
    headroom: Family<WorkloadLabels, SecondsGauge>,
    stale: Family<GatewayLabels, Gauge>,
    behind: Family<GatewayLabels, SecondsGauge>,
    unanswered: Family<GatewayLabels, Gauge>,
    gateways: Gauge,
    delay: Gauge,
    changes: Family<CauseLabels, Counter>,
}

/// The buckets of the histogram, in seconds: from one poll to the bound.
const BUCKETS: [f64; 13] = [0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0];

impl PropagationMetrics {
    /// Adds the metrics to `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            propagation: Histogram::new(BUCKETS),
            outliers: Counter::default(),
            left_out: Family::default(),
            headroom: Family::default(),
            stale: Family::default(),
            behind: Family::default(),
            unanswered: Family::default(),
            gateways: Gauge::default(),
            delay: Gauge::default(),
            changes: Family::default(),
        };
        for cause in DelayChangeCause::VARIANTS {
            let labels = CauseLabels { cause: cause.into() };
            let _ = metrics.changes.get_or_create_owned(&labels);
        }
        for item in BoundedItem::MEASURED {
            let _ = metrics.left_out.get_or_create_owned(&ItemLabels { item: item.as_str() });
        }
        registry.register(
            "propagation_seconds",
            "How long the gateways took to drop a Pod that left its Services",
            metrics.propagation.clone(),
        );
        registry.register(
            "propagation_outliers",
            "Pods that the gateways dropped so late that no delay helps",
            metrics.outliers.clone(),
        );
        registry.register(
            "propagation_left_out",
            "What is not measured because there is too much of it",
            metrics.left_out.clone(),
        );
        registry.register(
            "headroom_seconds",
            "How much longer the Pods of a workload sleep than the gateways took at most to drop one",
            metrics.headroom.clone(),
        );
        registry.register(
            "stale_addresses",
            "Addresses of Pods that left long ago and that a gateway still has",
            metrics.stale.clone(),
        );
        registry.register(
            "gateway_behind_seconds",
            "How long ago the first Pod left that a gateway should have dropped",
            metrics.behind.clone(),
        );
        registry.register(
            "gateway_unanswered",
            "1 while a gateway cannot be asked",
            metrics.unanswered.clone(),
        );
        registry.register("gateways", "Gateways that are asked", metrics.gateways.clone());
        registry.register(
            "delay_seconds",
            "The delay of Pods that ask for no other",
            metrics.delay.clone(),
        );
        registry.register(
            "delay_changes",
            "How often the delay has followed what was measured",
            metrics.changes.clone(),
        );
        metrics
    }

    /// The delay of Pods that ask for no other.
    pub(crate) fn show_delay(&self, delay: Delay) {
        self.delay.set(delay.get().into());
    }

    pub(super) fn sample(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    pub(super) fn outlier(&self) {
        self.outliers.inc();
    }

    pub(super) fn changed(&self, cause: DelayChangeCause) {
        let labels = CauseLabels { cause: cause.into() };
        self.changes.get_or_create_owned(&labels).inc();
    }

    /// What is shown while this replica holds the Lease.
    pub(super) fn show(&self) -> ShownPropagation {
        ShownPropagation {
            metrics: self.clone(),
            left_out: LeftOut::default(),
            headroom: BTreeSet::new(),
            gateways: BTreeSet::new(),
            behind: BTreeSet::new(),
        }
    }
}

/// What is shown of workloads and gateways. Nothing of it, after this is dropped.
#[derive(Debug)]
pub(super) struct ShownPropagation {
    metrics: PropagationMetrics,
    left_out: LeftOut,
    headroom: BTreeSet<WorkloadLabels>,
    gateways: BTreeSet<GatewayLabels>,
    behind: BTreeSet<GatewayLabels>,
}

impl ShownPropagation {
    /// Shows the seconds that each workload has left. Beyond the bound, those with the least.
    pub(super) fn workloads<'w>(
        &mut self,
        workloads: impl Iterator<Item = (&'w WorkloadPlace, f64)>,
    ) {
        let mut workloads: Vec<_> = workloads.collect();
        workloads.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        workloads.truncate(MAX_WORKLOADS_WITH_HEADROOM);
        let values = workloads.into_iter().map(|(place, headroom)| {
            let namespace = place.namespace.clone();
            (WorkloadLabels { namespace, workload: place.to_string() }, headroom)
        });
        let family = &self.metrics.headroom;
        replace(family, &mut self.headroom, values.collect(), |gauge, value| _ = gauge.set(value));
    }

    /// Counts what the tracker has left out.
    pub(super) fn left_out(&mut self, left_out: &LeftOut) {
        for (item, count) in left_out.since(&self.left_out) {
            let labels = ItemLabels { item: item.as_str() };
            self.metrics.left_out.get_or_create_owned(&labels).inc_by(count);
        }
        self.left_out = left_out.clone();
    }

    /// Shows the gateways. `max` is the longest time that a delay can cover.
    pub(super) fn gateways(&mut self, tracker: &Tracker, now: Duration, max: Duration) {
        let (mut stale, mut unanswered, mut behind) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for state in tracker.gateways(now) {
            let labels = GatewayLabels { gateway: state.gateway.to_string() };
            if let Some(lag) = state.lag.filter(|lag| *lag > max) {
                behind.insert(labels.clone(), lag.as_secs_f64());
            }
            unanswered.insert(labels.clone(), state.problem.is_some());
            stale.insert(labels, i64::try_from(state.stale.len()).unwrap_or(i64::MAX));
        }
        self.metrics.gateways.set(i64::try_from(stale.len()).unwrap_or(i64::MAX));
        let mut shown = self.gateways.clone();
        replace(&self.metrics.stale, &mut shown, stale, |gauge, value| _ = gauge.set(value));
        let family = &self.metrics.unanswered;
        replace(family, &mut self.gateways, unanswered, |gauge, value| _ = gauge.set(value.into()));
        let family = &self.metrics.behind;
        replace(family, &mut self.behind, behind, |gauge, value| _ = gauge.set(value));
    }
}

impl Drop for ShownPropagation {
    fn drop(&mut self) {
        self.metrics.headroom.clear();
        self.metrics.stale.clear();
        self.metrics.unanswered.clear();
        self.metrics.behind.clear();
        self.metrics.gateways.set(0);
    }
}

/// Shows `values`, and removes what was shown and is none of them. A scrape in between sees either.
fn replace<L, M, V>(
    family: &Family<L, M>,
    shown: &mut BTreeSet<L>,
    values: BTreeMap<L, V>,
    set: impl Fn(M, V),
) where
    L: Clone + Ord + Hash,
    M: Clone + Default,
{
    for gone in shown.iter().filter(|labels| !values.contains_key(labels)) {
        family.remove(gone);
    }
    *shown = values.keys().cloned().collect();
    for (labels, value) in values {
        set(family.get_or_create_owned(&labels), value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::propagation::PodId;

    fn page(registry: &Registry) -> String {
        let mut page = String::new();
        encode(&mut page, registry).unwrap();
        page
    }

    fn place(name: &str) -> WorkloadPlace {
        WorkloadPlace::new("shop", "Deployment", name, "")
    }

    #[test]
    fn what_is_gone_is_not_shown_and_nothing_after_the_end() {
        let mut registry = Registry::default();
        let metrics = PropagationMetrics::register(&mut registry);
        let mut shown = metrics.show();
        let (web, api) = (place("web"), place("api"));
        shown.workloads([(&web, 2.5), (&api, -1.0)].into_iter());
        let now = page(&registry);
        assert!(
            now.contains("headroom_seconds{namespace=\"shop\",workload=\"deployment/web\"} 2.5")
        );
        assert!(now.contains("workload=\"deployment/api\"} -1.0"), "{now}");
        shown.workloads([(&web, 3.5)].into_iter());
        let now = page(&registry);
        assert!(now.contains("deployment/web\"} 3.5") && !now.contains("api"), "{now}");
        drop(shown);
        assert!(!page(&registry).contains("deployment/"), "another replica shows them");
    }

    #[test]
    fn the_workloads_with_the_least_headroom_are_shown() {
        let mut registry = Registry::default();
        let metrics = PropagationMetrics::register(&mut registry);
        let places: Vec<_> =
            (0..=MAX_WORKLOADS_WITH_HEADROOM).map(|i| place(&format!("w{i}"))).collect();
        let mut shown = metrics.show();
        shown.workloads(places.iter().enumerate().map(|(i, place)| (place, i as f64)));
        let now = page(&registry);
        assert_eq!(now.matches("deployment/w").count(), MAX_WORKLOADS_WITH_HEADROOM);
        assert!(!now.contains(&format!("deployment/w{MAX_WORKLOADS_WITH_HEADROOM}\"")), "{now}");
    }

    #[test]
    fn what_is_left_out_is_counted_once() {
        let mut registry = Registry::default();
        let metrics = PropagationMetrics::register(&mut registry);
        assert!(page(&registry).contains("left_out_total{item=\"pods\"} 0"), "for rate()");
        let mut left_out = LeftOut::default();
        for count in [2, 1] {
            left_out.add(BoundedItem::Pods, count);
            // Another tracker begins with nothing when this replica leads again.
            let mut shown = metrics.show();
            shown.left_out(&left_out);
            shown.left_out(&left_out);
        }
        let now = page(&registry);
        assert!(now.contains("propagation_left_out_total{item=\"pods\"} 5"), "{now}");
    }

    #[test]
    fn a_gateway_that_is_behind_is_shown_as_long_as_it_is() {
        let seconds = Duration::from_secs;
        let mut registry = Registry::default();
        let metrics = PropagationMetrics::register(&mut registry);
        let mut shown = metrics.show();
        let (pod, gateway) = (PodId::new("shop", "web-0", "u"), PodId::new("apisix", "gw", "g"));
        let address = "10.0.0.1:80".parse().unwrap();
        let mut tracker = Tracker::default();
        tracker.gateway(gateway.clone());
        tracker.ready(pod.clone(), BTreeSet::from([address]));
        tracker.leave(&pod, seconds(0));
        assert_eq!(tracker.due(seconds(1)), std::slice::from_ref(&gateway));
        tracker.answered(&gateway, seconds(1), seconds(1), &HashSet::from([address]));
        shown.gateways(&tracker, seconds(30), seconds(20));
        let now = page(&registry);
        assert!(now.contains("gateway_behind_seconds{gateway=\"apisix/gw\"} 30.0"), "{now}");
        assert!(now.contains("gateway_unanswered{gateway=\"apisix/gw\"} 0"), "{now}");
        tracker.due(seconds(31));
        tracker.failed(&gateway, seconds(31), "nobody listens");
        tracker.forget(&pod);
        shown.gateways(&tracker, seconds(32), seconds(20));
        let now = page(&registry);
        assert!(!now.contains("behind_seconds{"), "{now}");
        assert!(now.contains("gateway_unanswered{gateway=\"apisix/gw\"} 1"), "{now}");
        tracker.gateway_gone(&gateway);
        shown.gateways(&tracker, seconds(33), seconds(20));
        assert!(!page(&registry).contains("apisix/gw"), "it is gone");
    }
}
