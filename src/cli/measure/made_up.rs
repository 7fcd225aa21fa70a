//! Reports for the tests.

use std::time::Duration;

use crate::{
    propagation::{
        BoundedItem, GatewayReport, HistogramBucket, LeftOut, OutlierReport, PropagationReport,
        StaleReport, WorkloadPropagation,
    },
    units::Delay,
};

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn gateway(name: &str) -> GatewayReport {
    GatewayReport {
        name: format!("apisix/{name}"),
        samples: 4,
        p50: Some(ms(153)),
        p99: Some(ms(212)),
        max: Some(ms(212)),
        ..GatewayReport::default()
    }
}

pub(super) fn workload(name: &str) -> WorkloadPropagation {
    WorkloadPropagation {
        namespace: "shop".to_owned(),
        name: format!("Deployment/{name}"),
        samples: 4,
        slowest: Some(ms(212)),
        sleep: Some(5),
        ends_at_once: false,
    }
}

/// Four Pods left, and nothing is wrong.
pub(super) fn fine() -> PropagationReport {
    PropagationReport {
        measured_for: ms(600_000),
        samples: 4,
        p50: Some(ms(153)),
        p99: Some(ms(212)),
        max: Some(ms(212)),
        histogram: vec![
            HistogramBucket { up_to: ms(148), count: 1 },
            HistogramBucket { up_to: ms(153), count: 2 },
            HistogramBucket { up_to: ms(212), count: 1 },
        ],
        gateways: vec![gateway("apisix-1"), gateway("apisix-2")],
        workloads: vec![workload("web")],
        outliers: Vec::new(),
        recommended: Some(Delay::clamped(2)),
        configured: Some(Delay::clamped(5)),
        left_out: LeftOut::default(),
    }
}

/// The same, where APISIX takes 7 s.
pub(super) fn slow() -> PropagationReport {
    let times = |gateway: GatewayReport| GatewayReport {
        p50: Some(ms(7001)),
        p99: Some(ms(7012)),
        max: Some(ms(7012)),
        ..gateway
    };
    PropagationReport {
        p50: Some(ms(7001)),
        p99: Some(ms(7012)),
        max: Some(ms(7012)),
        histogram: vec![
            HistogramBucket { up_to: ms(7001), count: 3 },
            HistogramBucket { up_to: ms(7012), count: 1 },
        ],
        gateways: fine().gateways.into_iter().map(times).collect(),
        workloads: vec![WorkloadPropagation { slowest: Some(ms(7012)), ..workload("web") }],
        recommended: Some(Delay::clamped(12)),
        ..fine()
    }
}

/// No Pod left.
pub(super) fn without_samples() -> PropagationReport {
    let idle = |name: &str| GatewayReport { name: gateway(name).name, ..GatewayReport::default() };
    PropagationReport {
        measured_for: ms(72_400),
        gateways: vec![idle("apisix-1")],
        configured: Some(Delay::clamped(5)),
        ..PropagationReport::default()
    }
}

pub(super) fn stale() -> StaleReport {
    StaleReport {
        pod: "shop/web-1".to_owned(),
        address: ([10, 244, 0, 9], 8080).into(),
        since: ms(150_900),
    }
}

pub(super) fn outlier() -> OutlierReport {
    OutlierReport {
        pod: "shop/web-2".to_owned(),
        gateway: "apisix/apisix-1".to_owned(),
        took: ms(31_204),
        has_ended: true,
    }
}

/// Everything that can be wrong at once, with names that nobody should be able to write.
pub(super) fn everything() -> PropagationReport {
    let evil = "</svg><script>\"&'\u{1b}[2J\n";
    let mut report = slow();
    report.gateways[0].name += evil;
    report.gateways[0].lags = true;
    report.gateways[0].stale = vec![StaleReport { pod: evil.to_owned(), ..stale() }];
    report.gateways[1].problem = Some(format!("connection refused {evil}"));
    report.workloads[0].name += evil;
    report.workloads.push(WorkloadPropagation {
        sleep: None,
        ends_at_once: true,
        ..workload(evil)
    });
    report.outliers = vec![outlier(), OutlierReport { has_ended: false, ..outlier() }];
    report.left_out.add(BoundedItem::Workloads, 3);
    report.left_out.add(BoundedItem::StaleAddresses, 7);
    report
}

/// More than any table has room for: 1,000 workloads, of which the last sleeps too short.
pub(super) fn crowd() -> PropagationReport {
    let mut report = slow();
    report.workloads = (0..1000)
        .map(|index| WorkloadPropagation {
            sleep: Some(30),
            ..workload(&format!("web-{index:03}"))
        })
        .collect();
    report.workloads[999].sleep = Some(0);
    report.gateways = (0..256).map(|index| gateway(&format!("apisix-{index:03}"))).collect();
    report.gateways[255].stale = vec![stale(); 1000];
    report.outliers = vec![outlier(); 1000];
    report.histogram =
        (1..5000).map(|index| HistogramBucket { up_to: ms(index * 7), count: index }).collect();
    report
}
