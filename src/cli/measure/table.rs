//! A report for people.

use super::super::plain_table::plain_table;
use super::{
    bins::Bins,
    rounded::{milliseconds, seconds, seconds_or_dash, span},
    sleep_verdict::{SleepVerdict, headroom},
};
use crate::{
    constants::{MAX_HISTOGRAM_ROWS, MAX_MEASURED_ROWS},
    manifests::printable,
    propagation::{
        GatewayReport, HistogramBucket, OutlierReport, PropagationReport, StaleReport,
        WorkloadPropagation,
    },
};

/// The longest bar of a histogram, in characters.
const BAR: u64 = 40;

/// The report: tables of gateways and workloads, each with what is wrong below it, a histogram, and
/// the delay that follows.
pub(super) fn table(report: &PropagationReport) -> String {
    let mut text = gateways(&report.gateways, MAX_MEASURED_ROWS);
    text += &paragraph(gateway_lines(&report.gateways));
    text += &workloads(report);
    text += &paragraph(workload_lines(report));
    text += &histogram(&report.histogram, MAX_HISTOGRAM_ROWS);
    text += &paragraph(report.outliers.iter().map(outlier_line));
    text += &paragraph(left_out_line(report).into_iter());
    text + &verdict(report)
}

/// A table of the gateways, those with something wrong first.
pub(super) fn gateways(gateways: &[GatewayReport], most: usize) -> String {
    let mut sorted: Vec<_> = gateways.iter().collect();
    sorted.sort_by_key(|gateway| state(gateway).is_empty());
    let rows = sorted.iter().take(most).map(|gateway| {
        let GatewayReport { name, samples, p50, p99, max, .. } = gateway;
        let [p50, p99, max] = [p50, p99, max].map(|time| seconds_or_dash(*time));
        let state = Some(state(gateway)).filter(|state| !state.is_empty());
        let state = state.unwrap_or("ok".to_owned());
        [name.clone(), samples.to_string(), p50, p99, max, state]
    });
    let table = plain_table(["GATEWAY", "SAMPLES", "P50", "P99", "MAX", "STATE"], rows);
    with_rest(table, gateways.len(), most)
}

/// What is wrong with a gateway. Empty if nothing is.
fn state(gateway: &GatewayReport) -> String {
    let GatewayReport { lags, stale, problem, .. } = gateway;
    let problem = problem.as_ref().map(|_| "no answer".to_owned());
    let stale = (!stale.is_empty()).then(|| format!("{} stale", stale.len()));
    let lags = lags.then(|| "lags".to_owned());
    [problem, stale, lags].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn gateway_lines(gateways: &[GatewayReport]) -> impl Iterator<Item = String> {
    let problems = gateways.iter().filter_map(|GatewayReport { name, problem, .. }| {
        Some(format!("{name} cannot be asked: {}", problem.as_ref()?))
    });
    let stale = gateways.iter().flat_map(|gateway| {
        gateway.stale.iter().map(|StaleReport { pod, address, since }| {
            let since = span(*since);
            format!("{} still has {address} of {pod}, which left {since} ago", gateway.name)
        })
    });
    problems.chain(stale)
}

/// A table of the workloads, those that sleep too short first.
fn workloads(report: &PropagationReport) -> String {
    let rows = sorted_workloads(report).into_iter().take(MAX_MEASURED_ROWS);
    let rows: Vec<_> = rows
        .map(|(_, workload)| {
            let WorkloadPropagation { namespace, name, samples, slowest, sleep, .. } = workload;
            let sleep = sleep.map_or("not known".to_owned(), |sleep| format!("{sleep} s"));
            let headroom = headroom(workload).map_or("-".to_owned(), seconds);
            let slowest = seconds_or_dash(*slowest);
            [namespace.clone(), name.clone(), samples.to_string(), slowest, sleep, headroom]
        })
        .collect();
    let header = ["NAMESPACE", "WORKLOAD", "SAMPLES", "SLOWEST", "SLEEP", "HEADROOM"];
    let table = plain_table(header, rows.into_iter());
    with_rest(table, report.workloads.len(), MAX_MEASURED_ROWS)
}

/// The workloads, the worst first, and otherwise in their order.
fn sorted_workloads(report: &PropagationReport) -> Vec<(SleepVerdict, &WorkloadPropagation)> {
    let workloads = report.workloads.iter();
    let mut sorted: Vec<_> = workloads.map(|it| (SleepVerdict::of(it, report), it)).collect();
    sorted.sort_by_key(|(verdict, _)| *verdict);
    sorted
}

fn workload_lines(report: &PropagationReport) -> impl Iterator<Item = String> {
    let sorted = sorted_workloads(report).into_iter();
    sorted.filter_map(|(verdict, workload)| {
        let WorkloadPropagation { namespace, name, slowest, sleep, .. } = workload;
        let sleep = (*sleep)?;
        let slowest = slowest.map_or(0, milliseconds);
        let why = match (verdict, report.recommended) {
            (SleepVerdict::Short, _) => {
                format!("less than the {} of its slowest Pod: requests are lost", seconds(slowest))
            }
            (SleepVerdict::Close, Some(delay)) if sleep < u64::from(delay.get()) => {
                format!("less than the recommended {delay}")
            }
            (SleepVerdict::Close, _) => {
                format!("hardly more than the {} of its slowest Pod", seconds(slowest))
            }
            (SleepVerdict::Unknown | SleepVerdict::Enough, _) => return None,
        };
        Some(format!("{namespace} {name} sleeps {sleep} s, {why}"))
    })
}

/// A histogram in characters that every terminal has.
pub(super) fn histogram(histogram: &[HistogramBucket], most: usize) -> String {
    let bins = Bins::around(histogram, most);
    let highest = bins.highest();
    if highest == 0 {
        return String::new();
    }
    let bar = |count: u64| (u128::from(count) * u128::from(BAR)).div_ceil(u128::from(highest));
    let rows = bins.steps().map(|(end, count)| {
        [seconds(end), count.to_string(), "#".repeat(usize::try_from(bar(count)).unwrap_or(0))]
    });
    plain_table(["UP TO", "SAMPLES", ""], rows)
}

fn outlier_line(outlier: &OutlierReport) -> String {
    let OutlierReport { pod, gateway, took, has_ended } = outlier;
    let took = seconds(milliseconds(*took));
    let what = match has_ended {
        true => format!("took {took} to let go of {pod}"),
        false => format!("still has {pod} after {took}"),
    };
    format!("{gateway} {what}: an outage, and no sample")
}

/// What there was too much of.
fn left_out_line(report: &PropagationReport) -> Option<String> {
    let items = report.left_out.iter().map(|(item, count)| {
        let item = item.as_str().replace('_', " ");
        format!("{item} ({count})")
    });
    let items: Vec<_> = items.collect();
    let line = || format!("not in this report, because there are too many: {}", items.join(", "));
    (!items.is_empty()).then(line)
}

/// The delay that follows, what sets it, and what it does not cover.
fn verdict(report: &PropagationReport) -> String {
    let PropagationReport { measured_for, samples, p50, p99, max, .. } = report;
    let time = span(*measured_for);
    let mut text = match (p50, p99, max) {
        (Some(p50), Some(p99), Some(max)) if *samples > 0 => {
            let [p50, p99, max] = [p50, p99, max].map(|time| seconds(milliseconds(*time)));
            let samples = counted(*samples, "sample");
            format!("{samples} in {time}: p50 {p50}, p99 {p99}, max {max}\n")
        }
        _ => return without_samples(report),
    };
    text += &delay(report);
    text += &shortest_sleeps(report);
    text + &longest_request(report)
}

fn without_samples(report: &PropagationReport) -> String {
    let mut gateways = report.gateways.iter();
    let why = if gateways.len() > 0 && gateways.all(|gateway| gateway.problem.is_some()) {
        "no gateway can be asked; --gateway-access and --control-port say how to"
    } else {
        "no Pod has left that a gateway had; --roll deployment/NAME -n NAMESPACE restarts a workload"
    };
    format!("no samples in {}: {why}\n", span(report.measured_for))
}

fn delay(report: &PropagationReport) -> String {
    let Some(recommended) = report.recommended else {
        return "no delay is recommended\n".to_owned();
    };
    let command = format!(
        "    helm upgrade apisix-prestop charts/apisix-prestop --namespace apisix-prestop \
         --reset-then-reuse-values --set injection.delay={recommended}\n"
    );
    let start = format!("recommended delay: {recommended}");
    match report.configured {
        None => format!("{start}; that of the webhook is not known\n{command}"),
        Some(configured) if configured < recommended => {
            format!("{start}; that of the webhook is {configured}, and too short\n{command}")
        }
        Some(configured) => format!("{start}; that of the webhook is {configured}, and enough\n"),
    }
}

/// How many workloads sleep too short. A new delay reaches new Pods only.
fn shortest_sleeps(report: &PropagationReport) -> String {
    let verdicts = report.workloads.iter().map(|workload| SleepVerdict::of(workload, report));
    let count = |of: SleepVerdict| verdicts.clone().filter(|verdict| *verdict == of).count() as u64;
    let [short, close] = [SleepVerdict::Short, SleepVerdict::Close].map(count);
    if short + close == 0 {
        return String::new();
    }
    format!(
        "workloads that sleep too short: {short}; hardly long enough: {close}. Running Pods keep \
         their sleep until they are restarted\n"
    )
}

fn longest_request(report: &PropagationReport) -> String {
    let workloads = report.workloads.iter().filter(|workload| workload.ends_at_once);
    let names: Vec<_> = workloads.map(|it| format!("{} {}", it.namespace, it.name)).collect();
    let start =
        "a delay has to cover the longest request too where an application ends at once on SIGTERM";
    if names.is_empty() {
        return format!("{start}\n");
    }
    let mut shown = names[..names.len().min(MAX_MEASURED_ROWS)].join(", ");
    if names.len() > MAX_MEASURED_ROWS {
        shown += &format!(" and {} more", names.len() - MAX_MEASURED_ROWS);
    }
    format!("{start}, as does {}\n", printable(&shown))
}

/// `1 sample`, `2 samples`.
pub(super) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A table, and how many rows of it are left out.
fn with_rest(table: String, count: usize, most: usize) -> String {
    if count <= most {
        return table;
    }
    format!("{}\n{}\n", table.trim_end(), rest(count - most))
}

/// Lines, and an empty one; nothing without lines.
fn paragraph(lines: impl Iterator<Item = String>) -> String {
    let (mut text, mut count) = (String::new(), 0);
    for line in lines {
        if count < MAX_MEASURED_ROWS {
            text += &format!("{}\n", printable(&line));
        }
        count += 1;
    }
    if count > MAX_MEASURED_ROWS {
        text += &rest(count - MAX_MEASURED_ROWS);
    }
    if count > 0 { text + "\n" } else { text }
}

fn rest(count: usize) -> String {
    format!("… and {count} more\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{
        super::made_up::{
            crowd, everything, fine, gateway, ms, outlier, slow, stale, without_samples, workload,
        },
        *,
    };
    use crate::{propagation::BoundedItem, units::Delay};

    #[test]
    fn nothing_is_wrong() {
        let expected = "\
GATEWAY          SAMPLES  P50      P99      MAX      STATE
apisix/apisix-1  4        0.153 s  0.212 s  0.212 s  ok
apisix/apisix-2  4        0.153 s  0.212 s  0.212 s  ok

NAMESPACE  WORKLOAD        SAMPLES  SLOWEST  SLEEP  HEADROOM
shop       Deployment/web  4        0.212 s  5 s    4.788 s

UP TO    SAMPLES
0.150 s  1        ####################
0.160 s  2        ########################################
0.170 s  0
0.180 s  0
0.190 s  0
0.200 s  0
0.210 s  0
0.220 s  1        ####################

4 samples in 10m: p50 0.153 s, p99 0.212 s, max 0.212 s
recommended delay: 2s; that of the webhook is 5s, and enough
a delay has to cover the longest request too where an application ends at once on SIGTERM
";
        assert_eq!(table(&fine()), expected);
    }

    #[test]
    fn the_delay_is_too_short() {
        let expected = "\
GATEWAY          SAMPLES  P50      P99      MAX      STATE
apisix/apisix-1  4        7.001 s  7.012 s  7.012 s  ok
apisix/apisix-2  4        7.001 s  7.012 s  7.012 s  ok

NAMESPACE  WORKLOAD        SAMPLES  SLOWEST  SLEEP  HEADROOM
shop       Deployment/web  4        7.012 s  5 s    -2.012 s

shop Deployment/web sleeps 5 s, less than the 7.012 s of its slowest Pod: requests are lost

UP TO    SAMPLES
7.200 s  4        ########################################

4 samples in 10m: p50 7.001 s, p99 7.012 s, max 7.012 s
recommended delay: 12s; that of the webhook is 5s, and too short
    helm upgrade apisix-prestop charts/apisix-prestop --namespace apisix-prestop --reset-then-reuse-values --set injection.delay=12s
workloads that sleep too short: 1; hardly long enough: 0. Running Pods keep their sleep until they are restarted
a delay has to cover the longest request too where an application ends at once on SIGTERM
";
        assert_eq!(table(&slow()), expected);
    }

    #[test]
    fn without_samples_it_says_what_to_do() {
        let expected = "\
GATEWAY          SAMPLES  P50  P99  MAX  STATE
apisix/apisix-1  0        -    -    -    ok

no samples in 1m12s: no Pod has left that a gateway had; --roll deployment/NAME -n NAMESPACE restarts a workload
";
        assert_eq!(table(&without_samples()), expected);
    }

    #[test]
    fn without_a_gateway_that_answers_it_says_what_to_do() {
        let mut report = without_samples();
        report.gateways[0].problem = Some("connection refused".to_owned());
        let expected = "\
GATEWAY          SAMPLES  P50  P99  MAX  STATE
apisix/apisix-1  0        -    -    -    no answer

apisix/apisix-1 cannot be asked: connection refused

no samples in 1m12s: no gateway can be asked; --gateway-access and --control-port say how to
";
        assert_eq!(table(&report), expected);
    }

    #[rstest]
    #[case::ok(gateway("a"), "")]
    #[case::lags(GatewayReport { lags: true, ..gateway("a") }, "lags")]
    #[case::stale(GatewayReport { stale: vec![stale()], ..gateway("a") }, "1 stale")]
    #[case::no_answer(GatewayReport { problem: Some(String::new()), ..gateway("a") }, "no answer")]
    #[case::all_of_it(
        GatewayReport { lags: true, stale: vec![stale(); 2], problem: Some(String::new()), ..gateway("a") },
        "no answer, 2 stale, lags"
    )]
    fn what_is_wrong_with_a_gateway(#[case] gateway: GatewayReport, #[case] expected: &str) {
        assert_eq!(state(&gateway), expected);
    }

    #[rstest]
    #[case::stale(
        |report: &mut PropagationReport| report.gateways[1].stale = vec![stale()],
        "apisix/apisix-2 still has 10.244.0.9:8080 of shop/web-1, which left 2m30s ago"
    )]
    #[case::an_outage(
        |report: &mut PropagationReport| report.outliers = vec![outlier()],
        "apisix/apisix-1 took 31.204 s to let go of shop/web-2: an outage, and no sample"
    )]
    #[case::an_outage_that_lasts(
        |report: &mut PropagationReport| {
            report.outliers = vec![OutlierReport { has_ended: false, ..outlier() }];
        },
        "apisix/apisix-1 still has shop/web-2 after 31.204 s: an outage, and no sample"
    )]
    #[case::a_sleep_that_is_not_known(
        |report: &mut PropagationReport| report.workloads[0].sleep = None,
        "shop       Deployment/web  4        0.212 s  not known  -"
    )]
    #[case::no_sleep(
        |report: &mut PropagationReport| report.workloads[0].sleep = Some(0),
        "shop Deployment/web sleeps 0 s, less than the 0.212 s of its slowest Pod: requests are lost"
    )]
    #[case::less_than_recommended(
        |report: &mut PropagationReport| report.workloads[0].sleep = Some(1),
        "shop Deployment/web sleeps 1 s, less than the recommended 2s"
    )]
    #[case::hardly_more_than_the_slowest(
        |report: &mut PropagationReport| report.workloads[0].slowest = Some(ms(4500)),
        "shop Deployment/web sleeps 5 s, hardly more than the 4.500 s of its slowest Pod"
    )]
    #[case::too_close(
        |report: &mut PropagationReport| report.workloads[0].sleep = Some(1),
        "workloads that sleep too short: 0; hardly long enough: 1. Running Pods keep their sleep until they are restarted"
    )]
    #[case::a_workload_without_samples(
        |report: &mut PropagationReport| {
            (report.workloads[0].samples, report.workloads[0].slowest) = (0, None);
        },
        "shop       Deployment/web  0        -        5 s    -"
    )]
    #[case::workloads_that_end_at_once(
        |report: &mut PropagationReport| {
            let ends_at_once = |name| WorkloadPropagation { ends_at_once: true, ..workload(name) };
            report.workloads = vec![ends_at_once("api"), workload("db"), ends_at_once("web")];
        },
        "a delay has to cover the longest request too where an application ends at once on SIGTERM, as does shop Deployment/api, shop Deployment/web"
    )]
    #[case::a_delay_that_is_as_recommended(
        |report: &mut PropagationReport| report.configured = report.recommended,
        "recommended delay: 2s; that of the webhook is 2s, and enough"
    )]
    #[case::a_delay_that_is_not_known(
        |report: &mut PropagationReport| report.configured = None,
        "recommended delay: 2s; that of the webhook is not known"
    )]
    #[case::no_delay(
        |report: &mut PropagationReport| report.configured = Some(Delay::MIN),
        "    helm upgrade apisix-prestop charts/apisix-prestop --namespace apisix-prestop --reset-then-reuse-values --set injection.delay=2s"
    )]
    #[case::too_many(
        |report: &mut PropagationReport| {
            report.left_out.add(BoundedItem::Workloads, 3);
            report.left_out.add(BoundedItem::StaleAddresses, 7);
        },
        "not in this report, because there are too many: stale addresses (7), workloads (3)"
    )]
    #[case::nothing_recommended(
        |report: &mut PropagationReport| report.recommended = None,
        "no delay is recommended"
    )]
    #[case::one_sample(
        |report: &mut PropagationReport| report.samples = 1,
        "1 sample in 10m: p50 0.153 s, p99 0.212 s, max 0.212 s"
    )]
    fn a_report_has_a_line(#[case] change: fn(&mut PropagationReport), #[case] line: &str) {
        let mut report = fine();
        assert!(!table(&report).lines().any(|other| other == line), "not before the change");
        change(&mut report);
        let text = table(&report);
        assert!(text.lines().any(|other| other == line), "no line {line:?} in:\n{text}");
    }

    #[test]
    fn what_is_too_much_is_cut_and_the_worst_stays() {
        let text = table(&crowd());
        for line in [
            "apisix/apisix-255  4        0.153 s  0.212 s  0.212 s  1000 stale",
            "… and 236 more",
            "shop       Deployment/web-999  4        0.212 s  0 s    -0.212 s",
            "… and 980 more",
            "workloads that sleep too short: 1; hardly long enough: 0. Running Pods keep their sleep until they are restarted",
        ] {
            assert!(text.lines().any(|other| other == line), "no line {line:?} in:\n{text}");
        }
        let lines = text.lines().count();
        assert!(lines < 120, "{lines} lines");
    }

    #[test]
    fn long_names_stay_whole_and_no_name_controls_a_terminal() {
        let mut report = everything();
        report.workloads[0].name = "n".repeat(253);
        let text = table(&report);
        assert!(text.contains(&report.workloads[0].name), "a person has to be able to copy it");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        let bars = histogram(&report.histogram, MAX_HISTOGRAM_ROWS);
        assert!(bars.is_ascii(), "every terminal has ASCII: {bars}");
    }
}
