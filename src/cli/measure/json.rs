//! A report for programs: `docs/measure.schema.json`.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use serde::Serialize;

use super::{
    rounded::milliseconds,
    sleep_verdict::{SleepVerdict, headroom},
};
use crate::propagation::{
    GatewayReport, HistogramBucket, OutlierReport, PropagationReport, StaleReport,
    WorkloadPropagation,
};

#[derive(Serialize)]
struct JsonMeasurement<'a> {
    version: &'static str,
    measured_for_seconds: f64,
    samples: u64,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
    max_seconds: Option<f64>,
    recommended_delay_seconds: Option<u32>,
    configured_delay_seconds: Option<u32>,
    histogram: Vec<JsonBucket>,
    gateways: Vec<JsonGateway<'a>>,
    workloads: Vec<JsonWorkload<'a>>,
    outliers: Vec<JsonOutlier<'a>>,
    left_out: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct JsonBucket {
    up_to_seconds: f64,
    count: u64,
}

#[derive(Serialize)]
struct JsonGateway<'a> {
    name: &'a str,
    samples: u64,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
    max_seconds: Option<f64>,
    lags: bool,
    stale: Vec<JsonStaleAddress<'a>>,
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonStaleAddress<'a> {
    pod: &'a str,
    address: SocketAddr,
    since_seconds: f64,
}

#[derive(Serialize)]
struct JsonWorkload<'a> {
    namespace: &'a str,
    name: &'a str,
    samples: u64,
    slowest_seconds: Option<f64>,
    sleep_seconds: Option<u64>,
    headroom_seconds: Option<f64>,
    verdict: SleepVerdict,
    ends_at_once: bool,
}

#[derive(Serialize)]
struct JsonOutlier<'a> {
    pod: &'a str,
    gateway: &'a str,
    took_seconds: f64,
    has_ended: bool,
}

/// The report.
///
/// # Errors
/// Never: it has text and numbers only.
pub(super) fn json(report: &PropagationReport) -> io::Result<String> {
    let workload = |workload| json_workload(workload, report);
    let json = JsonMeasurement {
        version: env!("CARGO_PKG_VERSION"),
        measured_for_seconds: seconds(report.measured_for),
        samples: report.samples,
        p50_seconds: report.p50.map(seconds),
        p99_seconds: report.p99.map(seconds),
        max_seconds: report.max.map(seconds),
        recommended_delay_seconds: report.recommended.map(|delay| delay.get()),
        configured_delay_seconds: report.configured.map(|delay| delay.get()),
        histogram: report.histogram.iter().map(json_bucket).collect(),
        gateways: report.gateways.iter().map(json_gateway).collect(),
        workloads: report.workloads.iter().map(workload).collect(),
        outliers: report.outliers.iter().map(json_outlier).collect(),
        left_out: report.left_out.iter().map(|(item, count)| (item.as_str(), count)).collect(),
    };
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

fn json_bucket(bucket: &HistogramBucket) -> JsonBucket {
    JsonBucket { up_to_seconds: seconds(bucket.up_to), count: bucket.count }
}

fn json_gateway(gateway: &GatewayReport) -> JsonGateway<'_> {
    JsonGateway {
        name: &gateway.name,
        samples: gateway.samples,
        p50_seconds: gateway.p50.map(seconds),
        p99_seconds: gateway.p99.map(seconds),
        max_seconds: gateway.max.map(seconds),
        lags: gateway.lags,
        stale: gateway.stale.iter().map(json_stale).collect(),
        problem: gateway.problem.as_deref(),
    }
}

fn json_stale(stale: &StaleReport) -> JsonStaleAddress<'_> {
    JsonStaleAddress {
        pod: &stale.pod,
        address: stale.address,
        since_seconds: seconds(stale.since),
    }
}

fn json_workload<'a>(
    workload: &'a WorkloadPropagation,
    report: &PropagationReport,
) -> JsonWorkload<'a> {
    JsonWorkload {
        namespace: &workload.namespace,
        name: &workload.name,
        samples: workload.samples,
        slowest_seconds: workload.slowest.map(seconds),
        sleep_seconds: workload.sleep,
        headroom_seconds: headroom(workload).map(in_seconds),
        verdict: SleepVerdict::of(workload, report),
        ends_at_once: workload.ends_at_once,
    }
}

fn json_outlier(outlier: &OutlierReport) -> JsonOutlier<'_> {
    JsonOutlier {
        pod: &outlier.pod,
        gateway: &outlier.gateway,
        took_seconds: seconds(outlier.took),
        has_ended: outlier.has_ended,
    }
}

fn seconds(time: Duration) -> f64 {
    in_seconds(milliseconds(time))
}

/// A number with three decimals.
fn in_seconds(milliseconds: i128) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use boon::{Compiler, Schemas};
    use rstest::rstest;
    use serde_json::Value;

    use super::{
        super::made_up::{crowd, everything, fine, slow, without_samples},
        *,
    };

    fn value(report: &PropagationReport) -> Value {
        serde_json::from_str(&json(report).unwrap()).unwrap()
    }

    #[rstest]
    #[case::fine(fine())]
    #[case::slow(slow())]
    #[case::no_samples(without_samples())]
    #[case::everything_that_can_be_wrong(everything())]
    #[case::as_many_as_there_can_be(crowd())]
    fn the_schema_describes_a_report(#[case] report: PropagationReport) {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/measure.schema.json");
        let schema = compiler.compile(path, &mut schemas).unwrap();
        let report = value(&report);
        if let Err(error) = schemas.validate(&report, schema) {
            panic!("docs/measure.schema.json does not describe {report:#}: {error:#}");
        }
    }

    #[test]
    fn times_are_in_seconds_and_names_are_as_they_are() {
        let report = value(&everything());
        assert_eq!(report["measured_for_seconds"], 600.0);
        assert_eq!(report["max_seconds"], 7.012);
        assert_eq!(report["recommended_delay_seconds"], 12);
        assert_eq!(report["gateways"][0]["stale"][0]["since_seconds"], 150.9);
        assert_eq!(report["gateways"][0]["stale"][0]["address"], "10.244.0.9:8080");
        assert_eq!(report["workloads"][0]["headroom_seconds"], -2.012);
        assert_eq!(report["workloads"][0]["verdict"], "short");
        assert_eq!(report["workloads"][1]["headroom_seconds"], Value::Null);
        assert_eq!(report["outliers"][1]["took_seconds"], 31.204);
        assert_eq!(report["left_out"], serde_json::json!({"stale_addresses": 7, "workloads": 3}));
        assert_eq!(report["gateways"][0]["name"], everything().gateways[0].name);
    }
}
