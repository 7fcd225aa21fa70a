//! The metrics that the documentation, the alerts and the dashboard name are those that there are.

use std::{collections::BTreeSet, fs, path::Path};

use apisix_prestop::constants::WEBHOOK_NAME_END;
use serde_json::Value;
use support::{program::Server, repository};

use super::docs::read;

const ALERTS: &str = "charts/apisix-prestop/files/alerts.yaml";
const ALERT_TESTS: &str = "charts/apisix-prestop/tests/alerts.yaml";
const DASHBOARD: &str = "charts/apisix-prestop/files/dashboard.json";
const PAGE: &str = "docs/observability.md";
const PREFIX: &str = "apisix_prestop_";
/// The program with all that has metrics.
const MEASURING: [&str; 4] =
    ["--upstreams=true", "--events=true", "--measure=true", "--delay-config-map=delay"];

fn alerts() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&read(ALERTS)).unwrap();
    file["groups"].as_array().unwrap().iter().flat_map(|it| list(&it["rules"])).collect()
}

/// The queries of the alerts and of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let targets = list(&dashboard["panels"]).into_iter().flat_map(|it| list(&it["targets"]));
    alerts().into_iter().chain(targets).map(|it| text(&it["expr"])).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The names of the series that the program has, and of its histograms.
async fn exported() -> BTreeSet<String> {
    let page = Server::start(&MEASURING).await.metrics().await;
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut names = BTreeSet::new();
    let mut registered = registered(&repository().join("src"));
    for (name, kind) in types {
        let suffixes: &[_] = match kind {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["", "_bucket", "_count", "_sum"],
            _ => &[""],
        };
        names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
        registered.remove(name);
    }
    assert!(!names.is_empty(), "no metrics in {page}");
    // A metric without a series is not on the page. All of these are gauges.
    names.extend(registered);
    names
}

/// The names that the code gives to its metrics, without their suffixes.
fn registered(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(registered(&path));
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        for call in code.split("registry.register(").skip(1) {
            let name = call.split('"').nth(1).unwrap();
            names.insert(format!("{PREFIX}{name}"));
        }
    }
    names
}

/// The metrics that a query names: what is not in quotes, braces or brackets, no function and no
/// label.
fn metrics(query: &str) -> BTreeSet<String> {
    const OPERATORS: [&str; 4] = ["and", "or", "unless", "offset"];
    const FUNCTION: [&str; 3] = ["(", " by (", " without ("];
    const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    let mut names = BTreeSet::new();
    let (mut rest, mut is_inside) = (query, false);
    while let Some(first) = rest.chars().next() {
        let is_part = |it: char| it.is_ascii_alphanumeric() || "_:.".contains(it);
        let end = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(first.len_utf8()));
        rest = after;
        match first {
            '"' => rest = rest.split_once('"').unwrap().1,
            '{' | '[' => is_inside = true,
            '}' | ']' => is_inside = false,
            _ if is_inside || !first.is_ascii_alphabetic() => {}
            _ if LISTS.contains(&word) => rest = rest.split_once(')').unwrap().1,
            _ if OPERATORS.contains(&word) || FUNCTION.iter().any(|it| rest.starts_with(it)) => {}
            _ => _ = names.insert(word.to_owned()),
        }
    }
    names
}

#[test]
fn the_metrics_of_a_query_are_found() {
    let query = "label_replace(max by (kind) (a_b{c=~\"d|e}\"}) > 0, \"f\", \"g\", \"\", \"\") \
                 or time() - sum(rate(h:i[$__rate_interval])) * 1e3 unless on (j) (k offset 10m)";
    assert_eq!(metrics(query).into_iter().collect::<Vec<_>>(), ["a_b", "h:i", "k"]);
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_exists() {
    let exported = exported().await;
    let page = read(PAGE);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<_> =
        rows.filter(|name| name.starts_with(PREFIX)).map(str::to_owned).collect();
    // The page names a histogram, not the series of which it consists.
    let is_part = |name: &str| {
        let of = |suffix| name.strip_suffix(suffix).is_some_and(|it| exported.contains(it));
        ["_bucket", "_count", "_sum"].into_iter().any(of)
    };
    let expected: BTreeSet<_> = exported.iter().filter(|it| !is_part(it)).cloned().collect();
    assert_eq!(documented, expected, "{PAGE} has a row for each metric");
}

#[tokio::test]
async fn every_metric_of_the_alerts_and_the_dashboard_exists() {
    let exported = exported().await;
    let page = read(PAGE);
    let is_known = |name: &str| {
        exported.contains(name)
            || !name.starts_with(PREFIX) && page.contains(&format!("| `{name}` |"))
    };
    for query in queries() {
        let names = metrics(&query);
        assert!(!names.is_empty(), "{query} names no metric");
        let unknown: Vec<_> = names.iter().filter(|name| !is_known(name)).collect();
        assert!(unknown.is_empty(), "nobody exports {unknown:?} of {query}");
    }
}

#[test]
fn the_queries_about_the_api_server_name_the_webhook() {
    for query in queries() {
        let webhooks = query.matches("apiserver_admission_webhook_").count();
        let named = query.matches(&format!("{{name=\"inject{WEBHOOK_NAME_END}\"}}")).count();
        assert_eq!(webhooks, named, "{query}");
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let page = read("docs/runbooks.md");
    let sections: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("### Apisix")).collect();
    let mut expected = Vec::new();
    for alert in alerts() {
        let name = text(&alert["alert"]);
        let severity = text(&alert["labels"]["severity"]);
        assert!(["critical", "warning", "info"].contains(&&*severity), "{name}: {severity}");
        let annotations = &alert["annotations"];
        for annotation in ["summary", "description"] {
            assert!(text(&annotations[annotation]).ends_with('.'), "{name}: {annotation}");
        }
        let anchor = name.to_lowercase();
        assert_eq!(annotations["runbook_url"], format!("docs/runbooks.md#{anchor}"), "{name}");
        let row = format!("| [`{name}`](runbooks.md#{anchor}) | {severity} |");
        assert!(read(PAGE).contains(&row), "{PAGE} lacks {row}");
        expected.push(name.strip_prefix("Apisix").unwrap().to_owned());
    }
    assert_eq!(sections, expected, "docs/runbooks.md has a section for each alert, in their order");
}

#[test]
fn a_test_of_promtool_lets_every_alert_fire_and_another_not() {
    let file: Value = serde_saphyr::from_str(&read(ALERT_TESTS)).unwrap();
    let tested: BTreeSet<_> = list(&file["tests"])
        .iter()
        .flat_map(|test| list(&test["alert_rule_test"]))
        .map(|it| (text(&it["alertname"]), !list(&it["exp_alerts"]).is_empty()))
        .collect();
    let names = alerts().into_iter().map(|alert| text(&alert["alert"]));
    let expected = names.flat_map(|name| [true, false].map(|fires| (name.clone(), fires)));
    assert_eq!(tested, expected.collect());
}
