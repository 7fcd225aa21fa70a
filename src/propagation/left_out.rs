//! What there was too much of.

use std::collections::BTreeMap;

use strum::IntoStaticStr;

/// Of what there may be more than a measurement has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum BoundedItem {
    /// Pods whose departure can be measured.
    Pods,
    /// Addresses of such a Pod.
    Addresses,
    /// Pods that leave at the same time.
    Departures,
    /// Gateways that are asked.
    Gateways,
    /// Stale addresses that are looked at until they end.
    StaleAddresses,
    /// Outcomes of departures that wait to be taken.
    Outcomes,
    /// Workloads of a report.
    Workloads,
    /// Outliers of a report.
    Outliers,
}

impl BoundedItem {
    /// What is not measured beyond its bound. The others are measured, and not in a report.
    pub const MEASURED: [Self; 6] = [
        Self::Pods,
        Self::Addresses,
        Self::Departures,
        Self::Gateways,
        Self::StaleAddresses,
        Self::Outcomes,
    ];

    /// Its name in metrics and reports.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How often each item was beyond its bound, and was not measured or not reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<BoundedItem, u64>);

impl LeftOut {
    /// Counts `count` more.
    pub fn add(&mut self, item: BoundedItem, count: u64) {
        if count > 0 {
            let counted = self.0.entry(item).or_default();
            *counted = counted.saturating_add(count);
        }
    }

    /// What was left out, and how often. Nothing of what had room.
    pub fn iter(&self) -> impl Iterator<Item = (BoundedItem, u64)> {
        self.0.iter().map(|(item, count)| (*item, *count))
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (item, count) in other.iter() {
            self.add(item, count);
        }
        self
    }

    /// What was left out after `earlier`.
    pub fn since(&self, earlier: &Self) -> impl Iterator<Item = (BoundedItem, u64)> {
        let before = |item| earlier.0.get(&item).copied().unwrap_or_default();
        self.iter().map(move |(item, count)| (item, count.saturating_sub(before(item))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_by_item_and_never_overflows() {
        let (mut one, mut other) = (LeftOut::default(), LeftOut::default());
        one.add(BoundedItem::Pods, 0);
        assert_eq!(one, other, "nothing was left out");
        one.add(BoundedItem::Pods, u64::MAX);
        one.add(BoundedItem::Gateways, 2);
        other.add(BoundedItem::Pods, 1);
        other.add(BoundedItem::Outliers, 3);
        let since: Vec<_> = one.since(&other).collect();
        assert_eq!(since, [(BoundedItem::Pods, u64::MAX - 1), (BoundedItem::Gateways, 2)]);
        let both: Vec<_> = one.and(&other).iter().collect();
        let expected =
            [(BoundedItem::Pods, u64::MAX), (BoundedItem::Gateways, 2), (BoundedItem::Outliers, 3)];
        assert_eq!(both, expected);
    }
}
