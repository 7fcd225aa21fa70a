//! manifests/examples: the webhook makes of each what its comment says.

use std::fs;

use apisix_prestop::{
    injection::{self, Context, Pod, Policy, Reason, Targets},
    upstreams::Target,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{plan::patched, repository};

use super::manifests::run;

struct Example {
    text: String,
    object: Value,
}

impl Example {
    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    fn pod(&self) -> &Value {
        if self.object["kind"] == "Pod" { &self.object } else { &self.object["spec"]["template"] }
    }
}

/// The examples of a file. What precedes the first is about all of them.
fn examples(file: &str) -> Vec<Example> {
    let text = fs::read_to_string(repository().join("manifests/examples").join(file)).unwrap();
    let documents = text.split("\n---\n").skip(1);
    let read = |text: &str| Example {
        text: text.to_owned(),
        object: serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}")),
    };
    documents.map(read).collect()
}

#[rstest]
fn the_last_line_of_its_comment_is_what_the_webhook_makes_of_it(
    #[values("overrides.yaml", "best-practice.yaml")] file: &str,
) {
    for example in examples(file) {
        let comment = example.text.lines().map_while(|line| line.strip_prefix("# "));
        let expected = comment.last().unwrap_or_else(|| panic!("{} has none", example.name()));
        let inject = ["inject", "-f", "-", "--hook", "sleep", "--dry-run"];
        let report = run(&inject, &example.text).stderr;
        let kind = example.object["kind"].as_str().unwrap().to_lowercase();
        let expected = format!("{kind}/{}: {expected}", example.name());
        assert_eq!(report.lines().next(), Some(&*expected), "{report}");
        assert!(report.ends_with(" 0 notices\n"), "{report}");
    }
}

#[test]
fn only_the_example_that_asks_for_it_gets_the_sleep_without_a_route() {
    let policy = Policy { targets: Targets::Upstreams, ..Policy::default() };
    for example in examples("overrides.yaml") {
        let json = example.pod().to_string();
        let pod: Pod<'_> = serde_json::from_str(&json).unwrap();
        let context = Context { target: Some(&Target::NoService), ..Context::of(&pod, &policy) };
        let expected = match example.name() {
            "always" => Reason::HookMissing,
            "opted-out" => Reason::OptedOut,
            _ => Reason::NoService,
        };
        let decision = injection::plan(&pod, &context).decision;
        assert_eq!(decision.reason(), expected, "{}", example.name());
    }
}

#[test]
fn the_pod_by_hand_and_the_one_with_apisix_prestop_wait_equally_long() {
    let examples = examples("best-practice.yaml");
    let [by_hand, ours] = &examples[..] else { panic!("{} Pods", examples.len()) };
    let ours = patched(ours.pod(), &Policy::default());
    let grace = |pod: &Value| pod["spec"]["terminationGracePeriodSeconds"].clone();
    assert_eq!(grace(&ours), grace(by_hand.pod()));
    let hook = |pod: &Value| pod["spec"]["containers"][0]["lifecycle"]["preStop"].clone();
    let seconds = hook(&ours)["sleep"]["seconds"].clone();
    let by_hand = hook(by_hand.pod());
    assert_eq!(by_hand["exec"]["command"], json!(["/bin/sh", "-c", format!("sleep {seconds}")]));
}
