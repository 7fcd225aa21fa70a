//! What Helm makes of the chart on a real cluster: upgrades beside other writers, what goes with a
//! release, two releases, and which calls the API server spares.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{run, run_with_input},
    dry_run::dry_run,
    installation::{self, NAME, SECRET},
    namespace::{self, OPTED_IN, with_namespace, with_values},
    program::check,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::{Value, json};

/// The second release, and its namespace.
const CANARY: &str = "apisix-prestop-canary";
const ENFORCER: &str = "admissionsenforcer";

async fn output(args: &[&str]) -> Result<Value> {
    let output = run("kubectl", &[args, &["-o", "json"]].concat()).await?.stdout;
    Ok(serde_json::from_str(&output)?)
}

async fn upgrade() -> Result<()> {
    let chart = "charts/apisix-prestop";
    let args = ["upgrade", NAME, chart, "-n", NAME, "--reset-then-reuse-values", "--wait"];
    run("helm", &args).await.map(drop)
}

/// What the admissions enforcer of AKS does, which cannot be had here: it adds an expression to the
/// selector of each webhook, as its own, unless an annotation asks it not to.
async fn enforce() -> Result<()> {
    let mut configuration = output(&["get", "mutatingwebhookconfiguration", NAME]).await?;
    if configuration["metadata"]["annotations"]["admissions.enforcer/disabled"] == "true" {
        return Ok(());
    }
    let selector = &mut configuration["webhooks"][0]["namespaceSelector"];
    let expressions = selector["matchExpressions"].as_array_mut().context("no expressions")?;
    expressions.push(json!({"key": "control-plane", "operator": "DoesNotExist"}));
    configuration["metadata"]["managedFields"] = Value::Null;
    let force = ["--server-side", "--force-conflicts", "--field-manager", ENFORCER];
    let args = [&["apply", "-f", "-"], &force[..]].concat();
    run_with_input("kubectl", &args, &configuration.to_string()).await.map(drop)
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_enforcer_of_aks_does_not_stop_an_upgrade() -> Result<()> {
    with_namespace("enforcer", "team: shop", async |client, _| {
        enforce().await?;
        upgrade().await.context("with the annotation, the selector is only Helm's")?;
        // Without it, this is what stops an upgrade.
        let without = ["webhook.annotations.admissions\\.enforcer/disabled=null"];
        installation::install(&client, &without).await?;
        enforce().await?;
        let failed = upgrade().await;
        run("kubectl", &["delete", "mutatingwebhookconfiguration", NAME]).await?;
        installation::install(&client, &[]).await?;
        let error = failed.err().context("the stand-in does not do what it stands for")?;
        ensure!(error.to_string().contains(ENFORCER), "another failure: {error:#}");
        Ok(())
    })
    .await
}

/// The data of the Secret.
async fn data(secrets: &Api<Secret>) -> Result<BTreeMap<String, Vec<u8>>> {
    let data = secrets.get(SECRET).await?.data.unwrap_or_default();
    Ok(data.into_iter().map(|(key, value)| (key, value.0)).collect())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_secret_stays_with_each_revision_and_goes_with_the_release() -> Result<()> {
    with_namespace("secret", "team: shop", async |client, _| {
        let secrets = Api::<Secret>::namespaced(client.clone(), NAME);
        let first = data(&secrets).await?;
        ensure!(first.contains_key("ca.key"), "the webhook has not filled it: {:?}", first.keys());
        let managers = secrets.get(SECRET).await?.metadata.managed_fields.unwrap_or_default();
        let managers: Vec<_> = managers.into_iter().filter_map(|it| it.manager).collect();
        ensure!(managers.iter().any(|manager| manager == NAME), "written by {managers:?}");

        upgrade().await?;
        ensure!(data(&secrets).await? == first, "an upgrade changes it");
        run("helm", &["rollback", NAME, "-n", NAME, "--wait"]).await?;
        ensure!(data(&secrets).await? == first, "a rollback changes it");

        // Only Helm may create it; then a replica writes back what it remembers.
        run("kubectl", &["-n", NAME, "delete", "secret", SECRET]).await?;
        upgrade().await?;
        support::eventually("the Secret as before", installation::ANSWER_LIMIT, async || {
            ensure!(data(&secrets).await? == first, "it has another content");
            Ok(())
        })
        .await?;

        run("helm", &["uninstall", NAME, "-n", NAME, "--wait"]).await?;
        let left = secrets.get_opt(SECRET).await?;
        installation::install(&client, &[]).await?;
        ensure!(left.is_none(), "the key of the CA stays behind");
        Ok(())
    })
    .await
}

/// What the webhook writes into objects that somebody else creates: keys, certificates, the `caBundle`.
fn written(objects: &Value) -> Result<[Value; 2]> {
    let items = objects["items"].as_array().context("no list")?;
    let of = |kind, pointer| {
        let object = items.iter().find(|object| object["kind"] == kind);
        object.and_then(|object| object.pointer(pointer)).cloned().context(kind)
    };
    let configuration = of("MutatingWebhookConfiguration", "/webhooks/0/clientConfig/caBundle")?;
    Ok([of("Secret", "/data")?, configuration])
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn an_apply_of_the_manifests_keeps_what_the_webhook_has_written() -> Result<()> {
    with_namespace("apply", "team: shop", async |_, _| {
        let (secret, webhook) =
            (format!("secret/{SECRET}"), format!("mutatingwebhookconfiguration/{NAME}"));
        let before = written(&output(&["-n", NAME, "get", &secret, &webhook]).await?)?;
        ensure!(before[0].get("ca.key").is_some(), "the webhook has not filled the Secret");
        for flags in [&[][..], &["--server-side", "--force-conflicts"]] {
            let apply = ["apply", "-k", "manifests/base", "--dry-run=server"];
            let after = output(&[&apply[..], flags].concat()).await?;
            ensure!(written(&after)? == before, "kubectl apply {flags:?} removes some of it");
        }
        Ok(())
    })
    .await
}

/// For how long the container of a new Pod sleeps, in seconds.
async fn sleep(client: &Client, namespace: &str, pod: &Value) -> Result<Value> {
    let created = dry_run(client, namespace, pod).await.map_err(anyhow::Error::msg)?;
    let created = serde_json::to_value(created)?;
    Ok(created["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].clone())
}

fn pod(change: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    });
    json_patch::merge(&mut pod, change);
    pod
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn two_releases_change_the_pods_of_their_own_namespaces() -> Result<()> {
    let others = "webhook.namespaceSelector.matchExpressions[0].key=stage,\
                  webhook.namespaceSelector.matchExpressions[0].operator=DoesNotExist";
    with_values("stable", OPTED_IN, &[others], async |client, stable| {
        let image = installation::image_values()?;
        let selector = "injection.delay=10s,webhook.namespaceSelector.matchLabels.stage=canary";
        namespace::create("canary-shop", &format!("{OPTED_IN}, stage: canary")).await?;
        let install = ["upgrade", "--install", "canary", "charts/apisix-prestop", "-n", CANARY];
        let values = ["--create-namespace", "--wait", "--set", &image, "--set", selector];
        let tested = async {
            run("helm", &[&install[..], &values].concat()).await?;
            support::eventually(
                "the second release to answer",
                installation::ANSWER_LIMIT,
                async || {
                    let seconds = sleep(&client, "canary-shop", &pod(&json!({}))).await?;
                    ensure!(seconds == 10, "a Pod of the second release sleeps {seconds} s");
                    Ok(())
                },
            )
            .await?;
            let seconds = sleep(&client, stable, &pod(&json!({}))).await?;
            ensure!(seconds == 5, "a Pod of the first release sleeps {seconds} s");
            let checked = check(&[]).await?;
            let line = "selects the namespaces with apisix-prestop/inject=enabled and stage=canary";
            ensure!(checked.report.contains(line), "no {line:?} in:\n{}", checked.report);
            ensure!(!checked.report.contains("two_releases"), "{}", checked.report);
            anyhow::Ok(())
        }
        .await;
        run("helm", &["uninstall", "canary", "-n", CANARY, "--ignore-not-found", "--wait"]).await?;
        run("kubectl", &["delete", "namespace", CANARY, "canary-shop", "--wait=false"]).await?;
        tested
    })
    .await
}

/// How many calls of the webhook the API server has counted.
async fn calls() -> Result<f64> {
    let metrics = run("kubectl", &["get", "--raw", "/metrics"]).await?.stdout;
    let counts = metrics.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_admission_duration_seconds_count{")
            && line.contains("name=\"inject.apisix-prestop.svc\"")
    });
    let counts =
        counts.map(|line| Ok(line.rsplit(' ').next().context("no value")?.parse::<f64>()?));
    counts.sum()
}

async fn configure(conditions: &Value) -> Result<Value> {
    let configuration = output(&["get", "mutatingwebhookconfiguration", NAME]).await?;
    let patch =
        json!([{"op": "replace", "path": "/webhooks/0/matchConditions", "value": conditions}]);
    let patch = patch.to_string();
    let args = ["patch", "mutatingwebhookconfiguration", NAME, "--type=json", "--patch", &patch];
    run("kubectl", &args).await?;
    Ok(configuration["webhooks"][0]["matchConditions"].clone())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_conditions_spare_calls_and_change_no_decision() -> Result<()> {
    with_namespace("conditions", OPTED_IN, async |client, namespace| {
        let owner = |kind: &str| {
            json!([{"apiVersion": "batch/v1", "kind": kind, "name": "j", "uid": "u", "controller": true}])
        };
        // Whether the API server spares the call.
        let pods = [
            (json!({}), false),
            (json!({"spec": {"restartPolicy": "Always"}}), false),
            (json!({"spec": {"restartPolicy": "Never"}}), true),
            (json!({"spec": {"restartPolicy": "OnFailure"}, "metadata": {"ownerReferences": owner("Job")}}), true),
            (json!({"metadata": {"annotations": {"team": "shop"}}}), false),
            (json!({"metadata": {"annotations": {"apisix-prestop/delay": "7s"}}}), false),
            (json!({"spec": {"containers": [{"name": "app", "image": "none", "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]}}), false),
        ];
        let look = async || {
            let (mut seen, before) = (Vec::new(), calls().await?);
            for (change, _) in &pods {
                seen.push(sleep(&client, namespace, &pod(change)).await?);
            }
            anyhow::Ok((seen, calls().await? - before))
        };
        let (with, called) = look().await?;
        let conditions = configure(&json!([])).await?;
        // The API server learns of the change a moment later.
        let without = support::eventually("the conditions to be gone", installation::ANSWER_LIMIT, async || {
            let (without, all) = look().await?;
            #[expect(clippy::cast_precision_loss, reason = "there are few")]
            let expected = pods.len() as f64;
            ensure!(all >= expected, "{all} calls for {expected} Pods");
            Ok((without, all))
        })
        .await;
        configure(&conditions).await?;
        let (without, all) = without?;
        ensure!(with == without, "with the conditions {with:?}, without {without:?}");
        let spared = pods.iter().filter(|(_, is_spared)| *is_spared).count();
        println!("of {all} calls, the conditions spare {}", all - called);
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let expected = spared as f64;
        ensure!((all - called - expected).abs() < 0.5, "{called} of {all} calls are left");
        Ok(())
    })
    .await
}
