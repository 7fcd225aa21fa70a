//! The documentation says what the code says.
//!
//! What is generated is written anew by `make docs`.

use std::{fs, net::SocketAddr, path::PathBuf};

use apisix_prestop::{
    admission::Refusal,
    cli::Cli,
    constants::*,
    injection::{NoticeName, Reason},
};
use clap::CommandFactory;
use rstest::rstest;
use strum::VariantArray;
use support::{
    cases::{self, Case, PolicyLimit},
    plan::reasons,
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn assert_says(document: &str, text: &str) {
    assert!(read(document).contains(text), "{document} has to say {text:?}");
}

const ENVIRONMENT: &str = "## Environment\n\nEach flag of `serve`, and each that says what is injected, can come from an environment variable: \
`APISIX_PRESTOP_` and the flag's name in capitals, such as `APISIX_PRESTOP_DRAIN_DELAY` for \
`--drain-delay`. The flag wins.";

#[test]
fn each_flag_has_its_environment_variable() {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    for flag in serve.get_arguments().filter(|flag| flag.get_id() != "help") {
        let name = flag.get_long().unwrap().to_uppercase().replace('-', "_");
        let variable = flag.get_env().and_then(|variable| variable.to_str());
        assert_eq!(variable, Some(&*format!("APISIX_PRESTOP_{name}")));
    }
}

#[test]
fn the_reference_of_the_command_line_is_current() {
    let options =
        clap_markdown::MarkdownOptions::new().title("Command line".to_owned()).show_footer(false);
    let generated = format!(
        "<!-- Generated from the code by `make docs`. -->\n\n{}\n\n{ENVIRONMENT}\n",
        clap_markdown::help_markdown_custom::<Cli>(&options).trim_end()
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path("docs/cli.md"), generated).unwrap();
        return;
    }
    assert!(read("docs/cli.md") == generated, "docs/cli.md is not current: run `make docs`");
}

#[rstest]
#[case::label("docs/annotations.md", format!("`{INJECT_LABEL}`"))]
#[case::enabled("docs/annotations.md", format!("`{INJECT_ENABLED}`"))]
#[case::disabled("docs/annotations.md", format!("`{}`", INJECT_DISABLED[0]))]
#[case::disabled_too("docs/annotations.md", format!("`\"{}\"`", INJECT_DISABLED[1]))]
#[case::delay("docs/annotations.md", format!("`{DELAY_ANNOTATION}`"))]
#[case::delay_limit("docs/annotations.md", format!("0 to {DEFAULT_MAX_DELAY} seconds"))]
#[case::reserve_limit("docs/annotations.md", format!("0 to {MAX_SHUTDOWN_RESERVE} seconds"))]
#[case::events_rate("docs/annotations.md", format!("{}", ["zero", "one", "two", "three", "four", "five"][1000 / EVENT_INTERVAL.as_millis() as usize]))]
#[case::delay_range("docs/cli.md", format!("SIGTERM, unless its Pod asks for another delay: 0 to {MAX_DELAY} seconds"))]
#[case::reserve_range("docs/cli.md", format!("after the sleep: 0 to {MAX_SHUTDOWN_RESERVE} seconds"))]
#[case::drain_range("docs/cli.md", format!("this replica stops: 0 to {MAX_DRAIN} seconds"))]
#[case::body_limit("docs/architecture.md", format!("{} MiB", MAX_BODY_BYTES / 1024 / 1024))]
#[case::certificate_poll("docs/architecture.md", format!("every {} s", CERTIFICATE_POLL_INTERVAL.as_secs()))]
#[case::idle("docs/architecture.md", format!("{} s", IDLE_TIMEOUT.as_secs()))]
#[case::rotate("docs/certificates.md", format!("apisix-prestop-tls {ROTATE_ANNOTATION}=ca"))]
#[case::tls_secret("docs/certificates.md", format!("annotate secret {DEFAULT_TLS_SECRET} "))]
#[case::field_manager("docs/certificates.md", format!("`{CA_BUNDLE_FIELD_MANAGER}`"))]
#[case::ca_lifetime("docs/certificates.md", format!("{} days", DEFAULT_CA_LIFETIME / 86400))]
#[case::certificate_lifetime("docs/certificates.md", format!("; {} days", DEFAULT_CERTIFICATE_LIFETIME / 86400))]
#[case::propagation("docs/certificates.md", format!("The {} s (`--ca-propagation`)", DEFAULT_CA_PROPAGATION))]
#[case::creation_grace("docs/certificates.md", format!("leaves others {} s", CREATION_GRACE.as_secs()))]
#[case::lifetime_range("docs/cli.md", format!("1s to {}d", MAX_LIFETIME / 86400))]
#[case::version_poll("docs/decisions.md", format!("every {} minutes", VERSION_POLL_INTERVAL.as_secs() / 60))]
#[case::reserve("docs/decisions.md", format!("{DEFAULT_SHUTDOWN_RESERVE} s"))]
fn a_key_or_limit_is_documented(#[case] document: &str, #[case] text: String) {
    assert_says(document, &text);
}

#[test]
fn every_annotation_is_documented() {
    for key in ANNOTATIONS {
        assert_says("docs/annotations.md", &format!("| `{key}` (annotation) |"));
    }
}

#[test]
fn every_reason_and_notice_is_documented() {
    for reason in Reason::VARIANTS {
        assert_says("docs/decisions.md", &format!("`{reason}`"));
    }
    for notice in NoticeName::VARIANTS {
        assert_says("docs/annotations.md", &format!("`{}`", notice.as_str()));
    }
    for refusal in Refusal::VARIANTS {
        assert_says("docs/observability.md", &format!("`{}`", refusal.as_str()));
    }
}

#[test]
fn the_table_of_decisions_has_a_row_with_an_example_for_each_reason() {
    let page = read("docs/decisions.md");
    let (_, rest) = page.split_once("| case | reason | answer |\n|---|---|---|\n").unwrap();
    let table: Vec<_> = rest.lines().take_while(|line| line.starts_with('|')).collect();
    let cases = cases::all().unwrap();
    let expected = reasons().into_iter().map(|reason| {
        let is_example = |case: &&Case| case.row.is_some() && case.expect.reason == reason.as_str();
        let examples: Vec<_> = cases.iter().filter(is_example).collect();
        let [example] = examples[..] else {
            panic!("{} cases have the row of {reason}: one has to", examples.len());
        };
        let answer = match &*example.expect.decision {
            "inject" => "injected",
            _ => "unchanged",
        };
        format!("| {} | `{reason}` | {answer} |", example.row.as_ref().unwrap())
    });
    assert_eq!(table, expected.collect::<Vec<_>>(), "in the order in which the reasons match");
}

#[test]
fn the_table_of_the_policy_engine_has_the_numbers_of_the_cases() {
    let page = read("docs/policy-engine.md");
    let (_, rest) = page.split_once("| it does not |\n|---|---|---|---|\n").unwrap();
    let table: Vec<_> = rest.lines().take_while(|line| line.starts_with('|')).collect();
    let cases = cases::all().unwrap();
    let expected = reasons().into_iter().filter_map(|reason| {
        let cases = cases.iter().filter(|case| case.is_for_api_server());
        let cases: Vec<_> = cases.filter(|case| case.expect.reason == reason.as_str()).collect();
        let count = |limit| cases.iter().filter(|case| case.not_by_policy == limit).count();
        let limits = PolicyLimit::VARIANTS.iter().map(|limit| (limit, count(Some(*limit))));
        let limits = limits.filter(|(_, count)| *count > 0);
        let limits: Vec<_> = limits.map(|(limit, count)| format!("{count} `{limit}`")).collect();
        let limits = if limits.is_empty() { String::new() } else { limits.join(", ") + " " };
        let row = format!("| `{reason}` | {} | {} | {limits}|", cases.len(), count(None));
        (!cases.is_empty()).then_some(row)
    });
    assert_eq!(table, expected.collect::<Vec<_>>());
    for limit in PolicyLimit::VARIANTS {
        assert_says("docs/policy-engine.md", &format!("\n| `{limit}` | "));
    }
}

#[rstest]
#[case::delay(format!("  delay: {DEFAULT_DELAY}s\n"))]
#[case::max_delay(format!("  maxDelay: {DEFAULT_MAX_DELAY}s\n"))]
#[case::reserve(format!("  shutdownReserve: {DEFAULT_SHUTDOWN_RESERVE}s\n"))]
#[case::drain_delay(format!("  drainDelay: {DEFAULT_DRAIN_DELAY}s\n"))]
#[case::drain_timeout(format!("  drainTimeout: {DEFAULT_DRAIN_TIMEOUT}s\n"))]
#[case::port(format!("  port: {}\n", port(DEFAULT_LISTEN)))]
#[case::admin_port(format!("  adminPort: {}\n", port(DEFAULT_ADMIN_LISTEN)))]
#[case::max_connections(format!("  maxConnections: {DEFAULT_MAX_CONNECTIONS}\n"))]
fn the_chart_has_the_defaults_of_the_code(#[case] text: String) {
    assert_says("charts/apisix-prestop/values.yaml", &text);
}

fn port(address: &str) -> u16 {
    address.parse::<SocketAddr>().unwrap().port()
}

#[test]
fn the_chart_has_the_keys_and_paths_of_the_code() {
    let webhook = "charts/apisix-prestop/templates/mutatingwebhookconfiguration.yaml";
    assert_says(webhook, &format!("path: {INJECT_PATH}\n"));
    let [enabled, too] = INJECT_ENABLED_VALUES;
    let helpers = "charts/apisix-prestop/templates/_helpers.tpl";
    assert_says(
        helpers,
        &format!("key: {INJECT_LABEL}\n    operator: In\n    values: [{enabled}, \"{too}\"]"),
    );
    let [disabled, too] = INJECT_DISABLED;
    assert_says(helpers, &format!("values: [{disabled}, \"{too}\"]"));
}

#[test]
fn the_versions_that_were_tested_are_those_of_the_test_cluster() {
    let page = read("docs/compatibility.md");
    for (part, name) in [
        ("Kubernetes", "KUBERNETES"),
        ("Kubernetes", "ETCD"),
        ("Kubernetes", "CONTAINERD"),
        ("Kubernetes", "SCHEMA_VERSIONS"),
        ("engine `policy`", "KUBERNETES"),
        ("Helm", "HELM"),
        ("kustomize", "KUBERNETES"),
        ("cert-manager", "CERT_MANAGER"),
        ("APISIX ingress controller", "APISIX_INGRESS_CONTROLLER"),
        ("Gateway API", "GATEWAY_API"),
    ] {
        let versions = read("tests/cluster/versions");
        let versions = versions.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        for version in versions.unwrap().split(',') {
            let mut rows = page.lines().filter(|line| line.starts_with(&format!("| {part} |")));
            assert!(
                rows.any(|row| row.contains(version)),
                "docs/compatibility.md: no row of {part} names {version}"
            );
        }
    }
}

#[test]
fn one_version_is_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    assert_says("charts/apisix-prestop/Chart.yaml", &format!("\nversion: {version}\n"));
    assert_says("charts/apisix-prestop/Chart.yaml", &format!("\nappVersion: {version}\n"));
    assert_says("CHANGELOG.md", &format!("## {version}"));
}
