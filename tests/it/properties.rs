//! What holds for every Pod and every policy.

use apisix_prestop::injection::{GracePolicy, InjectionRecord};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{
    generator,
    plan::{applied, notices, patch, patched},
};

pub(super) fn grace(pod: &Value) -> i64 {
    pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30)
}

/// The rules of the API for what we touch, as in `validateLifecycle` and `validateHandler` of
/// Kubernetes: one handler a hook, and a native sleep that is no longer than the grace period.
pub(super) fn faults(pod: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for container in pod["spec"]["containers"].as_array().unwrap() {
        let Some(hook) = container["lifecycle"]["preStop"].as_object() else { continue };
        let name = &container["name"];
        if hook.len() != 1 {
            faults.push(format!("{name}: {} handlers", hook.len()));
        }
        let seconds = hook.get("sleep").map(|sleep| sleep["seconds"].as_i64().unwrap());
        if seconds.is_some_and(|seconds| !(0..=grace(pod).max(0)).contains(&seconds)) {
            faults.push(format!("{name}: a sleep of {seconds:?} in {}", grace(pod)));
        }
        let command = hook.get("exec").map(|exec| exec["command"].as_array().unwrap());
        if command.is_some_and(Vec::is_empty) {
            faults.push(format!("{name}: no command"));
        }
    }
    faults
}

/// The containers that have no preStop hook.
fn bare(pod: &Value) -> Vec<&str> {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    let bare = containers.filter(|container| container["lifecycle"]["preStop"].is_null());
    bare.map(|container| container["name"].as_str().unwrap()).collect()
}

/// Adds an unknown field to every object.
fn with_unknown_fields(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let known = object.iter().map(|(key, value)| {
                // The keys of these are data, not fields.
                let open = ["annotations", "labels", "nodeSelector"].contains(&key.as_str());
                let value = if open { value.clone() } else { with_unknown_fields(value) };
                (key.clone(), value)
            });
            let unknown = ("unknownField".to_owned(), json!({"deep": [1, {"er": null}]}));
            known.chain([unknown]).collect()
        }
        Value::Array(array) => array.iter().map(with_unknown_fields).collect(),
        other => other.clone(),
    }
}

/// What a service mesh does: a sidecar, an annotation, a label.
fn with_a_sidecar(pod: &Value) -> Value {
    let mut pod = pod.clone();
    pod["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "mesh", "image": "none"}));
    pod["metadata"]["annotations"]["mesh.example/status"] = json!("injected");
    pod["metadata"]["labels"]["mesh.example/rev"] = json!("1");
    pod
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_second_look_changes_nothing(pod in generator::pod(), policy in generator::policy()) {
        let once = patched(&pod, &policy);
        let second = patch(&once, &policy);
        prop_assert!(second.0.is_empty(), "{second} for {once:#}");
    }

    #[test]
    fn a_valid_pod_stays_valid(pod in generator::pod(), policy in generator::policy()) {
        prop_assume!(faults(&pod).is_empty());
        let after = patched(&pod, &policy);
        prop_assert_eq!(faults(&after), Vec::<String>::new(), "{:#}", after);
    }

    #[test]
    fn nothing_else_is_touched(pod in generator::pod(), policy in generator::policy()) {
        for operation in patch(&pod, &policy).0 {
            let value = serde_json::to_value(&operation).unwrap();
            // What an earlier injection added may be removed.
            let is_recorded = !pod["metadata"]["annotations"]["apisix-prestop/injected"].is_null();
            let removes = value["op"] == "remove" && is_recorded;
            prop_assert!(value["op"] == "add" || removes, "{}", operation);
            let path: Vec<_> = value["path"].as_str().unwrap().split('/').skip(1).collect();
            let ours = match path[..] {
                ["spec", "terminationGracePeriodSeconds"] | ["metadata", "annotations", "apisix-prestop~1injected"] => true,
                ["metadata", "annotations"] => pod["metadata"]["annotations"].is_null(),
                ["spec", "containers", i, "lifecycle"] => {
                    let container = &pod["spec"]["containers"][i.parse::<usize>().unwrap()];
                    removes || container["lifecycle"].is_null()
                }
                ["spec", "containers", _, "lifecycle", "preStop"] => true,
                ["spec", "containers", _, "lifecycle", "preStop", "exec", "command"] => {
                    pod["metadata"]["annotations"]["apisix-prestop/existing-hook"] == "prepend"
                }
                _ => false,
            };
            prop_assert!(ours, "{} is not ours to touch in {:#}", operation, pod);
        }
    }

    #[test]
    fn the_grace_period_never_falls(pod in generator::pod(), policy in generator::policy()) {
        let after = patched(&pod, &policy);
        prop_assert!(grace(&after) >= grace(&pod));
        if policy.grace == GracePolicy::Never {
            prop_assert_eq!(grace(&after), grace(&pod));
        }
    }

    #[test]
    fn fields_that_nobody_knows_do_not_matter(pod in generator::pod(), policy in generator::policy()) {
        prop_assert_eq!(patch(&with_unknown_fields(&pod), &policy), patch(&pod, &policy));
    }

    #[test]
    fn another_injector_may_come_before_or_after(pod in generator::pod(), policy in generator::policy()) {
        let mesh_last = patched(&with_a_sidecar(&patched(&pod, &policy)), &policy);
        let mesh_first = patched(&with_a_sidecar(&pod), &policy);
        prop_assert_eq!(bare(&mesh_last), bare(&mesh_first));
        prop_assert!(patch(&mesh_last, &policy).0.is_empty());
    }

    #[test]
    fn what_was_done_can_be_undone(pod in generator::pod(), policy in generator::policy()) {
        // An annotation from elsewhere is not what was done here.
        prop_assume!(pod["metadata"]["annotations"]["apisix-prestop/injected"].is_null());
        let mut after = patched(&pod, &policy);
        let record = after["metadata"]["annotations"]["apisix-prestop/injected"].as_str();
        if let Some(record) = record {
            let record: InjectionRecord = record.parse().unwrap();
            after = applied(&record.removal(&after).patch, &after);
        }
        prop_assert_eq!(after, pod);
    }

    #[test]
    fn the_record_is_read_as_it_was_written(text in "\\PC{0,40}") {
        if let Ok(record) = text.parse::<InjectionRecord>() {
            prop_assert_eq!(record.to_string().parse(), Ok(record));
        }
    }

    #[test]
    fn a_warning_is_a_short_ascii_line(pod in generator::pod(), policy in generator::policy()) {
        for notice in notices(&pod, &policy) {
            let text = notice.to_string();
            prop_assert!(text.len() <= 120 && text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{:?}", text);
        }
    }
}
