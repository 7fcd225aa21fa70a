//! `audit` on the real API server: each finding, by making it true.

use std::{collections::BTreeMap, env, os::unix::fs::symlink, time::Duration};

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{apply, kubectl, run},
    image::shell_image,
    installation::{self, NAME},
    namespace::{with_namespace, with_values},
    program::apisix_prestop,
    reader::kubeconfig_of_reader,
};
use serde_json::{Value, json};
use support::{eventually, program_path};
use tokio::process::Command;

/// The kubelet reports a failed hook, and the API server lists new objects, within seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// One Service that selects the Pods of all workloads, and an Ingress of APISIX to it.
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {tier: web}, publishNotReadyAddresses: true, ports: [{port: 80}]}
";
const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {ingressClassName: apisix, rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
";

/// A Deployment of one Pod behind the Service, changed by `change`.
fn deployment(name: &str, change: &Value) -> String {
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, "tier": "web"}},
                "spec": {"terminationGracePeriodSeconds": 20, "containers": [container(&Value::Null)]},
            },
        },
    });
    json_patch::merge(&mut deployment, change);
    deployment.to_string()
}

fn container(hook: &Value) -> Value {
    json!({
        "name": "app", "image": shell_image(), "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"], "lifecycle": {"preStop": hook},
    })
}

fn template(spec: Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

fn hook(hook: Value) -> Value {
    template(json!({"containers": [container(&hook)]}))
}

fn exec(words: &[&str]) -> Value {
    hook(json!({"exec": {"command": words}}))
}

fn metadata(metadata: Value) -> Value {
    json!({"spec": {"template": {"metadata": metadata}}})
}

/// What every workload of these tests has beside what a test is about.
const ALWAYS: [&str; 2] = ["readiness_missing", "single_replica"];

async fn report(namespace: &str) -> Result<Value> {
    let run = apisix_prestop(&["audit", "-n", namespace, "-o", "json"], None).await?;
    ensure!(run.code == 0, "{run:?}");
    ensure!(run.stderr.is_empty(), "no progress without a terminal: {run:?}");
    serde_json::from_str(&run.stdout).context(run.stdout)
}

/// The findings of each workload, without those of [`ALWAYS`].
async fn findings(namespace: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let report = report(namespace).await?;
    ensure!(report["unread"] == json!([]), "{report:#}");
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for workload in report["workloads"].as_array().context("no workloads")? {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = workload["findings"].as_array().into_iter().flatten();
        let names = found.map(|found| text(&found["finding"]));
        let of_workload = all.entry(text(&workload["name"])).or_default();
        of_workload.extend(names.filter(|name| !ALWAYS.contains(&&**name)));
    }
    Ok(all)
}

async fn await_findings(namespace: &str, expected: &[(&str, &[&str])]) -> Result<()> {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected: BTreeMap<_, Vec<String>> =
        expected.iter().map(|(name, found)| ((*name).to_owned(), texts(found))).collect();
    eventually("the findings", LIMIT, async || {
        let found = findings(namespace).await?;
        ensure!(found == expected, "found {found:#?}, expected {expected:#?}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn rollout(namespace: &str, names: &[&str]) -> Result<()> {
    for name in names {
        kubectl(namespace, &["rollout", "status", "deployment", name, "--timeout=90s"]).await?;
    }
    Ok(())
}

async fn pod_of(namespace: &str, app: &str) -> Result<String> {
    let selector = format!("app={app}");
    let args = [
        "-n",
        namespace,
        "get",
        "pods",
        "-l",
        &selector,
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ];
    Ok(run("kubectl", &args).await?.stdout)
}

/// kubectl finds the program as a plugin, by its name.
async fn plugin(namespace: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    symlink(program_path(), directory.path().join("kubectl-apisix_prestop"))?;
    let path = env::var("PATH")?;
    let output = Command::new("kubectl")
        .args(["apisix-prestop", "audit", "-n", namespace])
        .env("PATH", format!("{}:{path}", directory.path().display()))
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && text.contains("deployment/web"), "{output:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn from_a_namespace_without_the_label_to_protected_pods() -> Result<()> {
    with_namespace("audit", "team: shop", async |client, namespace| {
        apply(namespace, &deployment("web", &json!({}))).await?;
        apply(namespace, SERVICE).await?;
        await_findings(namespace, &[]).await?;
        apply(namespace, INGRESS).await?;
        await_findings(namespace, &[("web", &["not_opted_in"])]).await?;

        installation::uninstall().await?;
        let absent = await_findings(namespace, &[("web", &["webhook_missing"])]).await;
        installation::install(&client, &[]).await?;
        absent?;

        // What the command of the finding says: the label comes first, the restart after a look.
        run("kubectl", &["label", "namespace", namespace, "apisix-prestop/inject=enabled"]).await?;
        await_findings(namespace, &[("web", &["created_before_opt_in"])]).await?;
        let found = report(namespace).await?;
        let command = found["workloads"][0]["findings"][0]["command"].as_str().unwrap_or_default();
        let expected = format!("kubectl -n {namespace} rollout restart deployment/web");
        ensure!(command == expected, "{found:#}");

        let pod = pod_of(namespace, "web").await?;
        let explained =
            apisix_prestop(&["audit", "-n", namespace, "--explain", &pod], None).await?;
        let target = format!(
            "target     upstream of Ingress {namespace}/web via Service web, the route is of "
        );
        for line in [
            "workload   Deployment web, revision ",
            "namespace  opted in, the label is of ",
            &target,
            "container  app: no preStop hook",
            "webhook    hook_missing: for a new Pod like this: app sleeps 5s",
            "finding    created_before_opt_in: ",
            &format!("try        {expected}"),
        ] {
            let is_there = explained.stdout.lines().any(|it| it.starts_with(line));
            ensure!(is_there, "no line begins with {line:?}: {}", explained.stdout);
        }

        let words: Vec<_> = command.split(' ').collect();
        run(words[0], &words[1..]).await?;
        rollout(namespace, &["web"]).await?;
        await_findings(namespace, &[("web", &[])]).await?;
        let found = report(namespace).await?;
        ensure!(found["limits"][0]["limit"] == "not_ready_addresses", "{found:#}");
        plugin(namespace).await?;
        let failed =
            apisix_prestop(&["audit", "-n", namespace, "--fail-on", "short"], None).await?;
        ensure!(failed.code == 0, "the Pods are protected: {failed:?}");
        let failed = apisix_prestop(&["audit", "-n", namespace, "--fail-on", "any"], None).await?;
        ensure!(failed.code == 1, "there are findings: {failed:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_finding_of_pods_in_a_namespace_with_the_label() -> Result<()> {
    with_namespace("audit", "apisix-prestop/inject: enabled", async |_, namespace| {
        apply(namespace, SERVICE).await?;
        apply(namespace, INGRESS).await?;
        let several = || json!({"spec": {"replicas": 2, "strategy": {"type": "Recreate", "rollingUpdate": null}}});
        for (name, change) in [
            ("out", metadata(json!({"labels": {"apisix-prestop/inject": "disabled"}}))),
            ("zero", metadata(json!({"annotations": {"apisix-prestop/delay": "0"}}))),
            ("quits", exec(&["nginx", "-s", "quit"])),
            ("script", exec(&["/drain.sh"])),
            ("short", hook(json!({"sleep": {"seconds": 2}}))),
            ("killed", hook(json!({"sleep": {"seconds": 15}}))),
            ("all", several()),
        ] {
            apply(namespace, &deployment(name, &change)).await?;
        }
        rollout(namespace, &["out", "zero", "quits", "script", "short", "killed", "all"]).await?;
        let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: all}\n\
                      spec: {selector: {matchLabels: {app: all}}, maxUnavailable: 100%}\n";
        apply(namespace, budget).await?;

        // This one starts while nobody answers the API server.
        let scale = |replicas: &'static str| ["scale", "deployment", NAME, replicas];
        kubectl(NAME, &scale("--replicas=0")).await?;
        let pods = ["wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=apisix-prestop", "--timeout=60s"];
        kubectl(NAME, &pods).await?;
        let started = async {
            apply(namespace, &deployment("away", &json!({}))).await?;
            rollout(namespace, &["away"]).await
        }
        .await;
        kubectl(NAME, &scale("--replicas=2")).await?;
        kubectl(NAME, &["rollout", "status", "deployment", NAME, "--timeout=90s"]).await?;
        started?;

        // The kubelet finds out that it cannot run a hook when it stops the Pod.
        let pod = pod_of(namespace, "script").await?;
        kubectl(namespace, &["delete", "pod", &pod, "--wait=true"]).await?;
        let pod = pod_of(namespace, "killed").await?;
        kubectl(namespace, &["delete", "pod", &pod, "--grace-period=10", "--wait=false"]).await?;

        await_findings(
            namespace,
            &[
                ("all", &["all_at_once", "budget_without_effect"]),
                ("away", &["created_without_webhook"]),
                ("killed", &["killed_in_sleep"]),
                ("out", &["opted_out"]),
                ("quits", &["hook_ends_listener"]),
                ("script", &["hook_failed", "hook_unknown"]),
                ("short", &["sleep_short"]),
                ("zero", &["delay_zero"]),
            ],
        )
        .await?;
        let measured = ["audit", "-n", namespace, "--propagation", "20", "-o", "json"];
        let measured = apisix_prestop(&measured, None).await?;
        let measured: Value = serde_json::from_str(&measured.stdout)?;
        let all = &measured["workloads"][0];
        ensure!(
            all["name"] == "all" && all["findings"][0]["finding"] == "sleep_short",
            "5 s are less than the 20 s that somebody measured: {measured:#}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn each_finding_that_the_settings_of_the_webhook_make() -> Result<()> {
    let values = ["injection.targets=upstreams", "injection.grace=never", "injection.hook=exec"];
    with_values("audit", "apisix-prestop/inject: enabled", &values, async |_, namespace| {
        let windows = template(json!({"os": {"name": "windows"}}));
        let grace = template(json!({"terminationGracePeriodSeconds": 0}));
        let cut = hook(json!({"sleep": {"seconds": 20}}));
        for (name, change) in
            [("cut", &cut), ("early", &json!({})), ("grace", &grace), ("windows", &windows)]
        {
            apply(namespace, &deployment(name, change)).await?;
        }
        rollout(namespace, &["cut", "early", "grace"]).await?;
        // Times of the API have no fractions of a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        apply(namespace, SERVICE).await?;
        apply(namespace, INGRESS).await?;
        await_findings(
            namespace,
            &[
                ("cut", &["grace_cuts_hook"]),
                ("early", &["created_before_route"]),
                ("grace", &["grace_zero"]),
                ("windows", &["windows_exec"]),
            ],
        )
        .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn what_somebody_may_not_read_is_named_and_the_rest_is_reported() -> Result<()> {
    with_namespace("audit", "apisix-prestop/inject: enabled", async |_, namespace| {
        apply(namespace, &deployment("web", &json!({}))).await?;
        rollout(namespace, &["web"]).await?;
        let reader = kubeconfig_of_reader(namespace).await?;
        let reader = Some(reader.path());
        let run = apisix_prestop(&["audit", "-n", namespace, "-o", "json"], reader).await?;
        ensure!(run.code == 0, "{run:?}");
        let report: Value = serde_json::from_str(&run.stdout)?;
        let unread = report["unread"].to_string();
        for kind in ["services", "ingresses", "events", "deployments", "poddisruptionbudgets"] {
            ensure!(unread.contains(&format!("\"{kind}: ")), "{kind} is not in {unread}");
        }
        ensure!(!unread.contains("\"pods: "), "Pods can be read: {unread}");
        ensure!(report["summary"]["others"] == 1, "the Pod is counted: {report:#}");
        let all = apisix_prestop(&["audit", "-A", "-o", "json"], reader).await?;
        ensure!(all.stdout.contains("name a namespace that you may read: -n"), "{all:?}");
        let none = apisix_prestop(&["audit", "-n", "none"], None).await?;
        let message = "error: --namespace: there is no namespace none\n";
        ensure!((none.code, &*none.stderr) == (2, message), "{none:?}");
        let none = apisix_prestop(&["audit", "-n", namespace, "--explain", "none"], None).await?;
        let message = format!("error: --explain: no Pod none in namespace {namespace}\n");
        ensure!((none.code, &*none.stderr) == (2, &*message), "{none:?}");
        Ok(())
    })
    .await
}
