//! The chart's MutatingAdmissionPolicy on the real API server, without the webhook.
//!
//! The Pods are created with a server-side dry run: nothing has to be scheduled.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop::injection::{GracePolicy, Policy};
use apisix_prestop_e2e::{
    command::{apply, run, run_with_input},
    dry_run::dry_run,
    installation,
    namespace::{self, OPTED_IN, with_values},
    policy_refresh::await_refresh,
    program::{apisix_prestop, check},
    route::WEB_INGRESS,
};
use futures::StreamExt;
use kube::Client;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use support::{
    cases::{self, Case, PolicyLimit},
    eventually, generator,
    plan::{patch, patched},
    pods,
};

const POLICY: &str = "engine=policy";
const OPTED_IN_LABEL: &str = "apisix-prestop/inject=enabled";
/// How long the API server may take to learn of a label.
const LIMIT: Duration = Duration::from_secs(15);
/// How many generated Pods are tried with each policy.
const PODS: usize = 150;

/// The Pod as the API server would store it.
async fn stored(client: &Client, namespace: &str, pod: &Value) -> Result<Value, String> {
    let pod = dry_run(client, namespace, pod).await?;
    serde_json::to_value(pod).map_err(|error| error.to_string())
}

/// What an injection changes in a Pod: hooks, grace period and record.
fn injected(pod: &Value) -> Value {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    json!({
        "hooks": containers.map(|container| &container["lifecycle"]["preStop"]).collect::<Vec<_>>(),
        "grace": pod["spec"]["terminationGracePeriodSeconds"],
        "record": pod["metadata"]["annotations"]["apisix-prestop/injected"],
    })
}

/// A Pod with so many containers.
fn pod_of(containers: usize, annotations: Value, container: impl Fn(usize) -> Value) -> Value {
    let container = |i| {
        let mut container = container(i);
        container["name"] = json!(format!("c{i}"));
        container["image"] = json!("none");
        container
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {"containers": (0..containers).map(container).collect::<Vec<_>>()},
    })
}

/// What is wrong with a case. A case that the policy cannot do has to come out differently.
async fn verdict(client: &Client, namespace: &str, case: &Case) -> Result<(), String> {
    let pod = case.pod_for_api_server();
    let stored = stored(client, namespace, &pod).await;
    let same = stored.and_then(|stored| case.check_stored_silently(&stored));
    match (same, case.not_by_policy) {
        (Ok(()), Some(limit)) => Err(format!("{}: not {limit}: the policy does it", case.name)),
        (Err(error), None) => Err(format!("{}: {error}", case.name)),
        _ => Ok(()),
    }
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_case_comes_out_as_it_says_unless_it_is_marked() -> Result<()> {
    let policies = cases::by_chart_values().unwrap();
    with_values("policy-cases", OPTED_IN, &[POLICY], async |client, namespace| {
        let mut faults = Vec::new();
        for (values, cases) in &policies {
            let values: Vec<_> = values.iter().map(String::as_str).chain([POLICY]).collect();
            let installed = installation::install(&client, &values).await;
            let is_refused = cases.iter().all(|c| c.not_by_policy == Some(PolicyLimit::ExecHook));
            if is_refused {
                let error = installed.expect_err("the chart refuses these values").to_string();
                ensure!(error.contains("requires injection.hook: auto or sleep"), "{error}");
                continue;
            }
            installed?;
            let verdicts = futures::stream::iter(cases);
            let verdicts = verdicts.map(async |case| verdict(&client, namespace, case).await);
            let verdicts = verdicts.buffer_unordered(8).collect::<Vec<_>>().await;
            let failed: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
            println!("cases: {} with {values:?}, {} failed", cases.len(), failed.len());
            faults.extend(failed);
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        Ok(())
    })
    .await
}

/// Compares what the policy does with what the webhook would do, and looks at the result again.
async fn assert_same_as_webhook(
    client: &Client,
    (without, with): (&str, &str),
    policy: &Policy,
    pod: &Value,
) -> Result<(), String> {
    // What the API server fills in belongs to what both see.
    let Ok(before) = stored(client, without, pod).await else { return Ok(()) };
    let expected = injected(&patched(&before, policy));
    let after = stored(client, with, pod).await.map_err(|error| format!("{error}: {pod:#}"))?;
    if injected(&after) != expected {
        let actual = injected(&after);
        return Err(format!("the webhook does {expected:#}, the policy {actual:#}, to {pod:#}"));
    }
    // During a move between the engines, the webhook looks at what the policy wrote.
    let more = patch(&after, policy);
    if !more.0.is_empty() {
        return Err(format!("the webhook adds {more} to {after:#}"));
    }
    let mut again = pod.clone();
    again["spec"] = after["spec"].clone();
    again["metadata"]["annotations"] = after["metadata"]["annotations"].clone();
    let again =
        stored(client, with, &again).await.map_err(|error| format!("{error}: {again:#}"))?;
    if injected(&again) != expected {
        return Err(format!("a second look makes {:#} of {after:#}", injected(&again)));
    }
    Ok(())
}

/// The same Pods each time: a difference is rare, and would fail a run that has changed nothing.
/// `E2E_PODS=random` looks for one.
fn runner() -> TestRunner {
    match std::env::var("E2E_PODS").as_deref() {
        Ok("random") => TestRunner::default(),
        _ => TestRunner::deterministic(),
    }
}

/// Whether a sleep has to go before an exec hook, which a policy cannot do.
fn is_to_prepend(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut hooks = containers.map(|container| &container["lifecycle"]["preStop"]["exec"]);
    pod["metadata"]["annotations"]["apisix-prestop/existing-hook"] == "prepend"
        && hooks.any(|exec| !exec.is_null())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn it_does_to_generated_pods_what_the_webhook_does() -> Result<()> {
    let raise = Policy::default();
    let never = Policy { grace: GracePolicy::Never, delay: "40s".parse()?, ..raise };
    let extend = Policy { grace: GracePolicy::Extend, jobs: true, ..raise };
    with_values("policy-generated", OPTED_IN, &[POLICY], async |client, with| {
        let without = &format!("{with}-without");
        namespace::create(without, "").await?;
        let mut faults = Vec::new();
        for (policy, values) in [
            (raise, &[POLICY][..]),
            (never, &[POLICY, "injection.grace=never", "injection.delay=40s"]),
            (extend, &[POLICY, "injection.grace=extend", "injection.jobs=true"]),
        ] {
            installation::install(&client, values).await?;
            let mut runner = runner();
            let strategy = generator::pod().prop_filter("prepend", |pod| !is_to_prepend(pod));
            let pods: Vec<_> =
                (0..PODS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
            let answers = futures::stream::iter(&pods).map(async |pod| {
                assert_same_as_webhook(&client, (without, with), &policy, pod).await
            });
            let answers = answers.buffer_unordered(8).collect::<Vec<_>>().await;
            let differing: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
            println!("{values:?}: {PODS} Pods, {} differ", differing.len());
            faults.extend(differing);
        }
        run("kubectl", &["delete", "namespace", without, "--wait=false"]).await?;
        ensure!(faults.is_empty(), "{} differ, such as {}", faults.len(), faults[0]);
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn it_does_to_the_pods_of_popular_charts_what_the_webhook_does() -> Result<()> {
    with_values("policy-charts", OPTED_IN, &[POLICY], async |client, with| {
        let without = &format!("{with}-without");
        namespace::create(without, "").await?;
        let mut differing = Vec::new();
        for (name, pod) in pods::all() {
            let namespaces = (without.as_str(), with);
            let policy = Policy::default();
            if let Err(error) = assert_same_as_webhook(&client, namespaces, &policy, &pod).await {
                differing.push(format!("{name}: {error}"));
            }
        }
        run("kubectl", &["delete", "namespace", without, "--wait=false"]).await?;
        assert_eq!(differing, [""; 0], "{}", differing.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn only_namespaces_that_have_opted_in_are_changed() -> Result<()> {
    with_values("policy-left-alone", "", &[POLICY], async |client, namespace| {
        let record = async |namespace| {
            let pod = pod_of(1, json!({}), |_| json!({}));
            let stored = stored(&client, namespace, &pod).await.map_err(anyhow::Error::msg)?;
            anyhow::Ok(injected(&stored)["record"].clone())
        };
        let excluded = "kube-system";
        let unlabelled = record(namespace).await;
        for namespace in [excluded, namespace] {
            run("kubectl", &["label", "namespace", namespace, OPTED_IN_LABEL]).await?;
        }
        // Then the API server knows the labels of both.
        let labelled = eventually("a Pod to get the hook", LIMIT, async || {
            ensure!(record(namespace).await? == "c0=5s", "it has none");
            Ok(())
        });
        let (labelled, excluded_labelled) = (labelled.await, record(excluded).await);
        run("kubectl", &["label", "namespace", excluded, "apisix-prestop/inject-"]).await?;
        labelled?;
        assert_eq!([unlabelled?, excluded_labelled?], [Value::Null, Value::Null]);
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_pod_of_many_containers_stays_below_the_cost_limit() -> Result<()> {
    // An expression that exceeds the limit rejects the Pod.
    let values = [POLICY, "webhook.failurePolicy=Fail"];
    with_values("policy-many", OPTED_IN, &values, async |client, namespace| {
        for count in [20, 256] {
            let delays = (0..count).map(|i| format!("c{i}={}s", i % 60 + 1)).collect::<Vec<_>>();
            let annotations = json!({"apisix-prestop/container-delays": delays.join(",")});
            let pod =
                pod_of(count, annotations, |i| json!({"ports": [{"containerPort": 1000 + i}]}));
            let stored = stored(&client, namespace, &pod).await.map_err(anyhow::Error::msg)?;
            assert_eq!(injected(&stored), injected(&patched(&stored, &Policy::default())));
            assert_eq!(injected(&stored)["record"].as_str().unwrap().split(',').count(), count);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_pod_beyond_the_cost_limit_is_created_without_the_sleep() -> Result<()> {
    with_values("policy-costly", OPTED_IN, &[POLICY], async |client, namespace| {
        let container = |i: usize| {
            let ports = (0..64).map(|port| json!({"containerPort": 1000 + i * 64 + port}));
            let hook = json!({"preStop": {"httpGet": {"port": 80}}});
            let lifecycle = if i.is_multiple_of(2) { hook } else { Value::Null };
            json!({"ports": ports.collect::<Vec<_>>(), "lifecycle": lifecycle})
        };
        let pod = pod_of(256, json!({}), container);
        let created = stored(&client, namespace, &pod).await.map_err(anyhow::Error::msg)?;
        assert_eq!(injected(&created)["record"], Value::Null, "it is not costly any more");
        Ok(())
    })
    .await
}

/// A policy of somebody else that adds a sidecar, and lowers the grace period if it is above 40 s.
const OTHER_POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: z-e2e-other}
spec:
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConstraints:
    namespaceSelector: {matchLabels: {e2e-other: enabled}}
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: >-
          (object.spec.containers.exists(c, c.name == 'mesh') ? [] : [JSONPatch{
            op: 'add', path: '/spec/containers/-', value: {'name': 'mesh', 'image': 'none'}
          }])
          + (object.spec.terminationGracePeriodSeconds <= 40 ? [] : [JSONPatch{
            op: 'add', path: '/spec/terminationGracePeriodSeconds', value: 40
          }])
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: z-e2e-other}
spec: {policyName: z-e2e-other}
"#;

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn it_looks_again_after_another_policy() -> Result<()> {
    let labels = format!("{OPTED_IN}, e2e-other: enabled");
    with_values("policy-again", &labels, &[POLICY], async |client, namespace| {
        run_with_input("kubectl", &["apply", "-f", "-"], OTHER_POLICY).await?;
        let sleeps = |seconds| json!({"sleep": {"seconds": seconds}});
        let look = async || {
            await_refresh().await?;
            for (delay, expected) in [
                ("20s", json!({"hooks": [sleeps(20), sleeps(20)], "grace": 30, "record": "c0=20s,mesh=20s"})),
                ("60s", json!({
                    "hooks": [sleeps(30), sleeps(30)], "grace": 40,
                    "record": "c0=30s,mesh=30s; grace lowered to 40s",
                })),
            ] {
                let pod = pod_of(1, json!({"apisix-prestop/delay": delay}), |_| json!({}));
                let stored = stored(&client, namespace, &pod).await.map_err(anyhow::Error::msg)?;
                ensure!(injected(&stored) == expected, "{delay}: {:#}", injected(&stored));
            }
            Ok(())
        };
        let looked = look().await;
        let other = ["mutatingadmissionpolicybinding,mutatingadmissionpolicy", "z-e2e-other"];
        run("kubectl", &[&["delete"], &other[..]].concat()).await.context("not deleted")?;
        looked
    })
    .await
}

const WEB: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {schedulerName: none, containers: [{name: app, image: none}]}
";

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn check_and_audit_know_the_policy() -> Result<()> {
    let values = [POLICY, "injection.delay=7s"];
    with_values("policy-checked", "team: shop", &values, async |_, namespace| {
        let audit = async || {
            let args = ["audit", "-n", namespace, "-o", "json"];
            let report: Value = serde_json::from_str(&apisix_prestop(&args, None).await?.stdout)?;
            let findings = report["workloads"][0]["findings"].as_array().cloned();
            let names = findings.unwrap_or_default().into_iter();
            anyhow::Ok(names.map(|it| it["finding"].clone()).collect::<Vec<_>>())
        };
        apply(namespace, WEB).await?;
        apply(namespace, WEB_INGRESS).await?;
        assert_eq!(audit().await?, ["not_opted_in", "readiness_missing"]);
        run("kubectl", &["label", "namespace", namespace, OPTED_IN_LABEL]).await?;
        run("kubectl", &["-n", namespace, "delete", "pod", "web", "--wait"]).await?;
        apply(namespace, WEB).await?;
        // The delay is that of the policy: the sleep is not too short.
        assert_eq!(audit().await?, ["readiness_missing"]);

        let checked = check(&["-n", namespace]).await?;
        for line in [
            "✓ there is the MutatingAdmissionPolicy apisix-prestop",
            "✓ apisix-prestop selects the namespaces with apisix-prestop/inject=enabled",
            &format!("✓ a Pod gets the hook in 1 namespace: {namespace}"),
        ] {
            ensure!(checked.report.contains(line), "no {line:?} in:\n{}", checked.report);
        }
        ensure!(checked.code == 0, "{}", checked.report);

        // Without the binding it applies to nothing.
        let binding = "mutatingadmissionpolicybinding";
        run("kubectl", &["delete", binding, "apisix-prestop"]).await?;
        let line = "the MutatingAdmissionPolicy does not apply to it";
        await_refresh().await?;
        let checked = check(&["-n", namespace]).await?;
        ensure!(checked.report.contains(line), "no {line:?} in:\n{}", checked.report);
        Ok(())
    })
    .await
}
