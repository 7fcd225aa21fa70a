//! The cases in tests/cases. tests/cases/README.md describes their format.

use std::{collections::BTreeMap, fs};

use apisix_prestop::{
    injection::{GracePolicy, Hook, Policy, Targets},
    upstreams::{IngressController, KnownTargets, UpstreamIndex},
};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use similar::TextDiff;
use strum::{Display, VariantArray};

use crate::{repository, upstreams::index_object};

/// A Pod, a policy, and the expected decision.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// The name of the test.
    pub name: String,
    /// Why the decision is right.
    pub why: String,
    #[serde(default)]
    policy: PolicyValues,
    target: Option<TargetCase>,
    request: Option<Value>,
    pod: Option<Value>,
    /// The expected decision and Pod.
    pub expect: Expectation,
    /// The row of docs/decisions.md that this is the example of.
    pub row: Option<String>,
    not_on_api_server: Option<String>,
    /// Why the chart's MutatingAdmissionPolicy does something else.
    pub not_by_policy: Option<PolicyLimit>,
}

/// What a MutatingAdmissionPolicy cannot do. docs/policy-engine.md explains each.
#[derive(
    Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Display, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PolicyLimit {
    /// The chart does not offer `injection.hook: exec` with a policy.
    ExecHook,
    /// The sleep does not go before a hook that is there.
    Prepend,
    /// A sleep in a script of more than one command is not seen.
    Script,
}

/// What differs from the default policy, with the names and values of the chart.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyValues {
    delay: Option<String>,
    max_delay: Option<String>,
    shutdown_reserve: Option<String>,
    hook: Option<String>,
    grace: Option<String>,
    jobs: Option<bool>,
    targets: Option<String>,
}

/// What sends requests to the Pod, whose label `app` is `web`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum TargetCase {
    /// Not enough is known.
    Unknown,
    /// The ApisixRoute web, via the Service web.
    Upstream,
    /// The Service web.
    Service,
    /// Nothing.
    NoService,
}

/// The expected decision and Pod.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// `inject` or `skip`.
    pub decision: String,
    /// The reason's name.
    pub reason: String,
    #[serde(default)]
    containers: BTreeMap<String, Value>,
    grace: Option<i64>,
    injected: Option<String>,
    #[serde(default)]
    notices: Vec<BTreeMap<String, String>>,
}

/// The actual decision and Pod.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `inject` or `skip`.
    pub decision: String,
    /// The reason's name.
    pub reason: String,
    /// The names of the notices, in any order.
    pub notices: Vec<String>,
    /// Their texts.
    pub warnings: Vec<String>,
    /// The Pod afterwards.
    pub pod: Value,
}

/// All cases, in the order of their files.
///
/// # Errors
/// When a file is not of the format, with the name of the file and of the case.
pub fn all() -> Result<Vec<Case>, String> {
    let folder = repository().join("tests/cases");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = files.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for path in files {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
        for case in parse(&text).map_err(|error| format!("tests/cases/{file}: {error}"))? {
            if cases.iter().any(|other| other.name == case.name) {
                return Err(format!("tests/cases/{file}: there are two cases {}", case.name));
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// The cases in a file.
///
/// # Errors
/// When it is not of the format, with the name of the case.
fn parse(text: &str) -> Result<Vec<Case>, String> {
    let values: Vec<Value> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let parse = |value: Value| {
        let name = value["name"].to_string();
        let case = Case::deserialize(value).map_err(|error| format!("case {name}: {error}"))?;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !case.name.chars().all(is_name) {
            return Err(format!("case {name}: a name is in snake_case"));
        }
        case.try_policy().map_err(|error| format!("case {name}: {error}"))?;
        Ok(case)
    };
    values.into_iter().map(parse).collect()
}

/// The cases that can be tried on an API server, by the [values of the chart](Case::chart_values)
/// that they need: the chart is installed once for each.
///
/// # Errors
/// As [`all`].
pub fn by_chart_values() -> Result<BTreeMap<Vec<String>, Vec<Case>>, String> {
    let mut cases = BTreeMap::<_, Vec<_>>::new();
    for case in all()?.into_iter().filter(Case::is_for_api_server) {
        cases.entry(case.chart_values()).or_default().push(case);
    }
    Ok(cases)
}

impl Case {
    /// The policy.
    pub fn policy(&self) -> Policy {
        self.try_policy().unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn try_policy(&self) -> Result<Policy, String> {
        fn seconds<T: std::str::FromStr<Err: ToString>>(
            value: Option<&String>,
            default: T,
        ) -> Result<T, String> {
            value.map_or(Ok(default), |value| value.parse().map_err(|e: T::Err| e.to_string()))
        }
        let (values, default) = (&self.policy, Policy::default());
        Ok(Policy {
            delay: seconds(values.delay.as_ref(), default.delay)?,
            max_delay: seconds(values.max_delay.as_ref(), default.max_delay)?,
            shutdown_reserve: seconds(values.shutdown_reserve.as_ref(), default.shutdown_reserve)?,
            hook: match values.hook.as_deref() {
                None => default.hook,
                Some("sleep") => Hook::Sleep,
                Some("exec") => Hook::Exec,
                Some(other) => return Err(format!("there is no hook {other}")),
            },
            grace: match values.grace.as_deref() {
                None => default.grace,
                Some("raise") => GracePolicy::Raise,
                Some("extend") => GracePolicy::Extend,
                Some("never") => GracePolicy::Never,
                Some(other) => return Err(format!("there is no policy {other} for grace")),
            },
            jobs: values.jobs.unwrap_or(default.jobs),
            targets: match values.targets.as_deref() {
                None => default.targets,
                Some(targets) => Targets::from_str(targets, false)?,
            },
        })
    }

    /// The values of the chart that make the policy, such as `injection.delay=5s`.
    pub fn chart_values(&self) -> Vec<String> {
        let PolicyValues { delay, max_delay, shutdown_reserve, hook, grace, jobs, targets } =
            &self.policy;
        let jobs = jobs.map(|jobs| jobs.to_string());
        let values = [
            ("delay", delay),
            ("maxDelay", max_delay),
            ("shutdownReserve", shutdown_reserve),
            ("hook", hook),
            ("grace", grace),
            ("jobs", &jobs),
            ("targets", targets),
        ];
        let given = values.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        given.map(|(name, value)| format!("injection.{name}={value}")).collect()
    }

    /// Whether the case is the creation of a Pod about whose targets nothing is known, so that the
    /// decision needs no more than the Pod.
    pub fn is_creation(&self) -> bool {
        self.request.is_none() && self.target.is_none()
    }

    /// What is known of targets. `None` if nothing watches them.
    pub fn targets(&self) -> Option<KnownTargets> {
        let target = self.target?;
        let mut index = UpstreamIndex::new(IngressController::default());
        if matches!(target, TargetCase::Service | TargetCase::Upstream) {
            index_object(
                &mut index,
                &json!({
                    "apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": "web", "namespace": "shop"},
                    "spec": {"selector": {"app": "web"}},
                }),
            );
        }
        if target == TargetCase::Upstream {
            let rule = json!({"name": "all", "backends": [{"serviceName": "web"}]});
            index_object(
                &mut index,
                &json!({
                    "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute",
                    "metadata": {"name": "web", "namespace": "shop"}, "spec": {"http": [rule]},
                }),
            );
        }
        let is_complete = target != TargetCase::Unknown;
        Some(KnownTargets { snapshot: index.snapshot(), is_complete })
    }

    /// Whether the case can be tried on an API server.
    pub fn is_for_api_server(&self) -> bool {
        self.is_creation() && self.not_on_api_server.is_none()
    }

    /// The Pod before.
    pub fn pod(&self) -> Value {
        let mut pod = json!({
            "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "app"}], "terminationGracePeriodSeconds": 30},
        });
        let given = self.pod.clone().unwrap_or_default();
        for (field, value) in given.as_object().into_iter().flatten() {
            let Some(members) = value.as_object() else {
                pod[field] = value.clone();
                continue;
            };
            for (member, value) in members {
                pod[field][member] = value.clone();
            }
        }
        // What is filled in is taken out by a null.
        if let Some(fields) = pod.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        if let Some(spec) = pod["spec"].as_object_mut() {
            spec.retain(|key, value| key != "terminationGracePeriodSeconds" || !value.is_null());
        }
        pod
    }

    /// The Pod before, with what an API server asks for in addition.
    pub fn pod_for_api_server(&self) -> Value {
        let mut pod = self.pod();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("web");
        for list in ["containers", "initContainers"] {
            for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
                container["image"] = json!("none");
            }
        }
        pod
    }

    /// The request of the AdmissionReview, which `request` is merged into.
    pub fn merged_into(&self, mut request: Value) -> Value {
        if let Some(change) = &self.request {
            json_patch::merge(&mut request, change);
        }
        request
    }

    /// The Pod `before` as it has to be afterwards.
    fn after(&self, mut before: Value) -> Value {
        let Expectation { containers, grace, injected, .. } = &self.expect;
        for container in before["spec"]["containers"].as_array_mut().into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or_default();
            match containers.get(name) {
                // The lifecycle is gone, with the hook of ours in it.
                Some(Value::Null) => _ = container.as_object_mut().map(|c| c.remove("lifecycle")),
                Some(hook) => container["lifecycle"]["preStop"] = hook.clone(),
                None => {}
            }
        }
        if let Some(grace) = grace {
            before["spec"]["terminationGracePeriodSeconds"] = json!(grace);
        }
        if let Some(injected) = injected {
            let annotations = &mut before["metadata"]["annotations"];
            annotations["apisix-prestop/injected"] = json!(injected);
            // The record is gone, with the last change.
            if let (true, Some(annotations)) = (injected.is_empty(), annotations.as_object_mut()) {
                annotations.remove("apisix-prestop/injected");
            }
        }
        before
    }

    /// The names of the notices, sorted, and their texts.
    fn notices(&self) -> (Vec<&String>, Vec<&String>) {
        let mut names: Vec<_> = self.expect.notices.iter().flat_map(BTreeMap::keys).collect();
        names.sort();
        (names, self.expect.notices.iter().flat_map(BTreeMap::values).collect())
    }

    /// Compares the actual outcome with the expectation.
    ///
    /// # Errors
    /// When they differ: the reason for the expectation, and the difference.
    pub fn check(&self, actual: &Outcome) -> Result<(), String> {
        let (names, texts) = self.notices();
        let expected = json!({
            "decision": self.expect.decision, "reason": self.expect.reason,
            "notices": names, "warnings": texts, "pod": self.after(self.pod()),
        });
        let mut names = actual.notices.clone();
        names.sort();
        let actual = json!({
            "decision": actual.decision, "reason": actual.reason,
            "notices": names, "warnings": actual.warnings, "pod": actual.pod,
        });
        if expected == actual {
            return Ok(());
        }
        let (expected, actual) = (format!("{expected:#}\n"), format!("{actual:#}\n"));
        let diff = TextDiff::from_lines(&expected, &actual);
        let diff = diff.unified_diff().header("expected", "actual").to_string();
        Err(self.failure(&diff))
    }

    /// Compares the Pod that an API server stores with the expectation. The API server sets more
    /// fields than the case names.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_stored(&self, stored: &Value, warnings: &[String]) -> Result<(), String> {
        let (_, texts) = self.notices();
        let unsaid = texts.into_iter().filter(|text| !warnings.contains(text));
        let mut faults = self.faults_of(stored);
        faults.extend(unsaid.map(|text| format!("there is no warning {text:?}")));
        self.verdict(&faults, &format!("warnings: {warnings:?}\n{stored:#}"))
    }

    /// Compares the Pod that an API server stores with the expectation, where nobody warns.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_stored_silently(&self, stored: &Value) -> Result<(), String> {
        self.verdict(&self.faults_of(stored), &format!("{stored:#}"))
    }

    /// What differs from the expectation in the Pod that an API server stores.
    fn faults_of(&self, stored: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expected = self.after(self.pod_for_api_server());
        let record = &mut expected["metadata"]["annotations"]["apisix-prestop/injected"];
        let is_recorded = !record.is_null();
        // Nothing sends requests to these Pods, and the record says so.
        let mut stored = stored.clone();
        let found = &mut stored["metadata"]["annotations"]["apisix-prestop/injected"];
        let found_text = found.as_str().and_then(|text| text.strip_suffix("; target: no Service"));
        if let Some(text) = found_text.map(str::to_owned) {
            *found = text.into();
        }
        let stored = &stored;
        missing(stored, &expected, "", &mut faults);
        if !is_recorded && !stored["metadata"]["annotations"]["apisix-prestop/injected"].is_null() {
            faults.push("the Pod was injected".to_owned());
        }
        for list in ["containers", "initContainers"] {
            let [before, after] = [&expected, stored].map(|pod| pod["spec"][list].as_array());
            for (before, after) in before.into_iter().flatten().zip(after.into_iter().flatten()) {
                let hook = &after["lifecycle"]["preStop"];
                if before["lifecycle"]["preStop"].is_null() && !hook.is_null() {
                    faults.push(format!("{} has the hook {hook}", after["name"]));
                }
            }
        }
        faults
    }

    fn verdict(&self, faults: &[String], found: &str) -> Result<(), String> {
        match faults {
            [] => Ok(()),
            _ => Err(self.failure(&format!("{}\n{found}\n", faults.join("\n")))),
        }
    }

    fn failure(&self, what: &str) -> String {
        format!("{}: {}\n{what}", self.name, self.why)
    }
}

/// Lists the parts of `expected` that are not in `actual`. A null or an empty object equals an
/// absent field.
fn missing(actual: &Value, expected: &Value, path: &str, faults: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Null, Value::Null) => {}
        (Value::Object(members), Value::Object(_) | Value::Null) => {
            for (key, member) in members {
                missing(&actual[key], member, &format!("{path}/{key}"), faults);
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (index, (item, other)) in items.iter().zip(others).enumerate() {
                missing(other, item, &format!("{path}/{index}"), faults);
            }
        }
        _ if expected == actual => {}
        _ => faults.push(format!("{path}: expected {expected}, got {actual}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).unwrap_err()
    }

    #[test]
    fn an_unknown_field_is_named_with_its_case() {
        let case = "- name: a\n  why: b\n  expect: {decision: skip, reason: job, graec: 5}\n";
        let error = refused(case);
        assert!(error.starts_with("case \"a\": unknown field `graec`"), "{error}");
        let error =
            refused("- name: a\n  why: b\n  expect: {decision: skip, reason: job}\n  rwo: c\n");
        assert!(error.starts_with("case \"a\": unknown field `rwo`"), "{error}");
        let error = refused(
            "- name: a\n  why: b\n  policy: {hook: curl}\n  expect: {decision: skip, reason: job}\n",
        );
        assert_eq!(error, "case \"a\": there is no hook curl");
    }

    #[test]
    fn a_field_that_the_api_server_sets_is_no_difference() {
        let case = "- {name: a, why: b, expect: {decision: skip, reason: hook_present},\n\
                    pod: {spec: {containers: [{name: app, lifecycle: {preStop: {httpGet: {port: 80}}}}]}}}\n";
        let case = parse(case).unwrap().remove(0);
        let mut stored = case.pod_for_api_server();
        stored["spec"]["dnsPolicy"] = json!("ClusterFirst");
        stored["spec"]["containers"][0]["lifecycle"]["preStop"]["httpGet"]["path"] = json!("/");
        assert_eq!(case.check_stored(&stored, &[]), Ok(()));
        stored["metadata"]["annotations"]["apisix-prestop/injected"] = json!("app=5s");
        stored["spec"]["terminationGracePeriodSeconds"] = json!(31);
        let error = case.check_stored(&stored, &[]).unwrap_err();
        for fault in ["the Pod was injected", "expected 30, got 31"] {
            assert!(error.contains(fault), "expected {fault:?} in {error}");
        }
    }

    #[test]
    fn a_hook_that_should_not_be_there_is_a_fault() {
        let case = parse("- {name: a, why: b, expect: {decision: skip, reason: job}}\n");
        let case = case.unwrap().remove(0);
        let mut stored = case.pod_for_api_server();
        stored["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] = json!(5);
        let error = case.check_stored(&stored, &[]).unwrap_err();
        assert!(error.contains("\"app\" has the hook"), "{error}");
    }
}
