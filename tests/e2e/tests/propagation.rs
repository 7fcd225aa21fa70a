//! How long the gateway takes to let go of a Pod: measured by the command and by the webhook, and
//! followed by the delay.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use apisix_prestop_e2e::{
    command::{apply, kubectl, run},
    gateway::{self, MEASURED, PROPAGATION_DELAY, ROUTED},
    image::fixtures_image,
    installation::{NAME, admin},
    namespace::{OPTED_IN, with_namespace, with_values},
    program::apisix_prestop,
    slow_gateway::{self, FOLLOWED, SLOW, SlowRollouts},
};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::Value;
use support::eventually;

/// How long another replica may take to measure instead of one that is gone.
const TAKEOVER: Duration = Duration::from_secs(15);
const LIMIT: Duration = Duration::from_secs(60);

/// The number after `name` in the metrics of the replica that leads.
async fn metric(client: &Client, name: &str) -> Result<f64> {
    for metrics in admin(client, "metrics").await? {
        if metrics.lines().any(|line| line == "apisix_prestop_leading 1") {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            let value = line.with_context(|| format!("no {name} in {metrics}"))?;
            return Ok(value.trim().parse()?);
        }
    }
    anyhow::bail!("no replica leads")
}

/// The sleep of each Pod of a workload that is not being deleted.
async fn sleeps(client: &Client, namespace: &str) -> Result<Vec<i64>> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let listed = pods.list(&ListParams::default().labels("app=apisix-route")).await?;
    let sleep = |pod: &Pod| {
        let lifecycle = pod.spec.as_ref()?.containers.first()?.lifecycle.as_ref()?;
        Some(lifecycle.pre_stop.as_ref()?.sleep.as_ref()?.seconds)
    };
    let there = listed.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(there.filter_map(sleep).collect())
}

async fn audit(namespace: &str) -> Result<Value> {
    let run = apisix_prestop(&["audit", "-n", namespace, "--output=json"], None).await?;
    Ok(serde_json::from_str(&run.stdout)?)
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_slow_gateway_loses_requests_until_the_delay_follows() -> Result<()> {
    let labels = format!("{ROUTED}, {OPTED_IN}");
    let values = [&MEASURED[..], &[FOLLOWED]].concat();
    with_values("slow", &labels, &values, async |client, namespace| {
        slow_gateway::forget(&client).await?;
        let image = fixtures_image()?;
        let between = async || {
            // Those that were created before the delay rose.
            let report = audit(namespace).await?.to_string();
            ensure!(report.contains("sleep_short"), "the audit says of the old Pods: {report}");
            let headroom = format!(
                "apisix_prestop_headroom_seconds{{namespace=\"{namespace}\",workload=\"deployment/apisix-route\"}} "
            );
            let headroom = metric(&client, &headroom).await?;
            ensure!(headroom < 0.0, "5 s are not enough, and the headroom is {headroom} s");
            Ok(())
        };
        let SlowRollouts { fixed, record, followed } =
            slow_gateway::roll(&client, namespace, &image, between).await?;
        println!(
            "a gateway that is {} s late: 5 s: {} of {} requests failed; {record:?}: {} of {}",
            SLOW.as_secs(),
            fixed.load.failed,
            fixed.load.sent,
            followed.load.failed,
            followed.load.sent,
        );
        assert!(fixed.load.failed > 0, "a sleep of 5 s has to lose requests: {fixed:#?}");
        assert_eq!(followed.load.failed, 0, "the delay that followed loses none: {followed:#?}");
        let delay: i64 = record["delay"].trim_end_matches('s').parse()?;
        // 1.5 times what was measured and 1 s; what is measured includes up to 3 s of polls.
        assert!((12..=17).contains(&delay), "{record:?}");
        let sleeps = sleeps(&client, namespace).await?;
        assert_eq!(sleeps.len(), 4, "{sleeps:?}");
        assert!(sleeps.iter().all(|sleep| *sleep >= delay), "{sleeps:?} with {record:?}");
        let shown = metric(&client, "apisix_prestop_delay_seconds ").await?;
        assert!(shown >= 12.0, "the metrics show a delay of {shown} s");
        let events =
            run("kubectl", &["-n", NAME, "get", "events.events.k8s.io", "-o", "json"]).await?;
        assert!(events.stdout.contains("DelayRise"), "{}", events.stdout);
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_pin_holds_until_it_is_removed() -> Result<()> {
    let values = [&MEASURED[..], &[FOLLOWED]].concat();
    with_values("pin", OPTED_IN, &values, async |client, _| {
        let pin = async |value: &str| {
            let patch = format!(r#"{{"data": {{"pin": {value}}}}}"#);
            let patch =
                ["patch", "configmap", "apisix-prestop-delay", "--type=merge", "-p", &patch];
            kubectl(NAME, &patch).await
        };
        let shows = async |expected: f64| {
            eventually(&format!("a delay of {expected} s"), LIMIT, async || {
                let delay = metric(&client, "apisix_prestop_delay_seconds ").await?;
                ensure!((delay - expected).abs() < 0.1, "it is {delay} s");
                Ok(())
            })
            .await
        };
        let recorded = async || {
            let mut record = slow_gateway::record(&client).await?;
            record.remove("updated");
            record.remove("samples");
            anyhow::Ok(record)
        };
        let before = eventually("a replica to lead", LIMIT, async || {
            metric(&client, "apisix_prestop_delay_seconds ").await
        })
        .await?;
        let measured = recorded().await?;
        pin("\"9s\"").await?;
        shows(9.0).await?;
        // Beyond the range, the nearest one holds.
        pin("\"10m\"").await?;
        shows(20.0).await?;
        pin("\"soon\"").await?;
        shows(before).await?;
        pin("null").await?;
        shows(before).await?;
        assert_eq!(recorded().await?, measured, "a pin changes nothing else");
        Ok(())
    })
    .await
}

/// The webhook asks through the API server too, with rights in the namespace of the gateway only.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn another_replica_measures_within_15_s_through_a_port_forward() -> Result<()> {
    // The chart makes a Role in its namespace.
    gateway::install(&Client::try_default().await?, &fixtures_image()?).await?;
    let labels = format!("{ROUTED}, {OPTED_IN}");
    let values = [&MEASURED[..], &["measure.gateway.access=portForward"]].concat();
    with_values("takeover", &labels, &values, async |client, namespace| {
        let leases = Api::<Lease>::namespaced(client.clone(), NAME);
        let holder = async || {
            let lease = leases.get(NAME).await?;
            let holder = lease.spec.and_then(|spec| spec.holder_identity);
            holder.filter(|holder| !holder.is_empty()).context("nobody holds the Lease")
        };
        let pods = Api::<Pod>::namespaced(client.clone(), NAME);
        let first = eventually("a replica to lead", LIMIT, async || {
            let holder = holder().await?;
            // Not one of an earlier installation.
            pods.get(&holder).await?;
            anyhow::Ok(holder)
        })
        .await?;
        kubectl(NAME, &["delete", "pod", &first, "--grace-period=0", "--force"]).await?;
        eventually("another replica to lead", TAKEOVER, async || {
            let now = holder().await?;
            ensure!(now != first, "{now} still leads");
            Ok(())
        })
        .await?;
        workload(&client, namespace).await?;
        let count = "apisix_prestop_propagation_seconds_count ";
        eventually("a sample", LIMIT, async || {
            kubectl(namespace, &["rollout", "restart", "deployment/apisix-route"]).await?;
            let status = ["rollout", "status", "deployment/apisix-route", "--timeout=60s"];
            kubectl(namespace, &status).await?;
            ensure!(metric(&client, count).await? > 0.0, "there is none");
            let gateways = metric(&client, "apisix_prestop_gateways ").await?;
            ensure!((gateways - 1.0).abs() < 0.1, "{gateways} gateways are asked");
            Ok(())
        })
        .await?;
        Ok(())
    })
    .await
}

/// A workload of four Pods behind a route, which the gateway has.
async fn workload(client: &Client, namespace: &str) -> Result<()> {
    let filled = |manifest: &str| -> Result<String> {
        let manifest =
            manifest.replace("$NAME", "apisix-route").replace("$IMAGE", &fixtures_image()?);
        Ok(manifest.replace("$HOST", &format!("{namespace}.test")))
    };
    apply(namespace, &filled(include_str!("../manifests/workload.yaml"))?).await?;
    kubectl(namespace, &["rollout", "status", "deployment/apisix-route", "--timeout=90s"]).await?;
    apply(namespace, &filled(include_str!("../manifests/routes/apisix-route.yaml"))?).await?;
    eventually("the gateway to have the route", LIMIT, async || {
        let upstream = format!("{namespace}_apisix-route_80");
        ensure!(gateway::upstreams(client).await?.contains(&upstream), "it has none");
        Ok(())
    })
    .await?;
    tokio::time::sleep(PROPAGATION_DELAY).await;
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn measure_restarts_a_workload_and_measures_it() -> Result<()> {
    with_namespace("measure", &format!("{ROUTED}, {OPTED_IN}"), async |client, namespace| {
        gateway::install(&client, &fixtures_image()?).await?;
        workload(&client, namespace).await?;
        let plot = std::env::temp_dir().join(format!("{namespace}.svg"));
        let plot_flag = format!("--plot={}", plot.display());
        let roll = |output: &'static str| {
            [
                "measure",
                "--roll=deployment/apisix-route",
                "--gateway-namespace=apisix-prestop-gateway",
                "--for=2m",
                output,
            ]
        };
        let json = [&roll("--output=json")[..], &["-n", namespace, &plot_flag]].concat();
        let run = apisix_prestop(&json, None).await?;
        assert_eq!(run.code, 0, "{run:?}");
        let report: Value =
            serde_json::from_str(&run.stdout).with_context(|| run.stdout.clone())?;
        let seconds = |value: &Value| value.as_f64().unwrap_or_default();
        assert_eq!(report["samples"], 4, "each old Pod is one: {report:#}");
        let (p50, max) = (seconds(&report["p50_seconds"]), seconds(&report["max_seconds"]));
        let applied = PROPAGATION_DELAY.as_secs_f64();
        assert!(p50 >= applied, "no sample is shorter than the truth: {report:#}");
        assert!(max <= applied + 2.0, "nor much longer: {report:#}");
        assert_eq!(report["configured_delay_seconds"], 5, "{report:#}");
        assert_eq!(report["workloads"][0]["sleep_seconds"], 5, "{report:#}");
        assert!(std::fs::read_to_string(&plot)?.contains("<svg"), "there is a plot");
        std::fs::remove_file(&plot)?;

        let table = [&roll("--output=table")[..], &["-n", namespace]].concat();
        let run = apisix_prestop(&table, None).await?;
        println!("{}", run.stdout);
        assert_eq!(run.code, 0, "{run:?}");
        let row = format!("{namespace}  Deployment/apisix-route");
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let row = row.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&row), "{}", run.stdout);
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn what_measure_cannot_do_is_one_line() -> Result<()> {
    let no_gateway = ["measure", "--gateway-selector=app=none", "--for=5s"];
    let run = apisix_prestop(&no_gateway, None).await?;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("no Pod of any namespace has the labels app=none"), "{run:?}");
    let client = Client::try_default().await?;
    gateway::install(&client, &fixtures_image()?).await?;
    let no_workload = ["measure", "--roll=deployment/none", "-n", "default", "--for=20s"];
    let run = apisix_prestop(&no_workload, None).await?;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("--roll Deployment/none"), "{run:?}");
    Ok(())
}

/// The gateway that is asked hangs, floods, lies, or keeps what it should drop, beside a good one.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn gateways_that_are_wrong_are_told_and_stop_nothing() -> Result<()> {
    const FAULTS: [&str; 4] = ["none", "hang", "flood", "lie"];
    with_namespace("faults", OPTED_IN, async |client, namespace| {
        let image = fixtures_image()?;
        let start = async |fault: &str| {
            let manifest = include_str!("../manifests/gateway.yaml");
            let (pod, _) = manifest.split_once("---").context("there is a Service")?;
            let flags = format!("--propagation-delay=0s, --control-fault={fault}");
            let pod = pod
                .replace("$IMAGE", &image)
                .replace("name: gateway\n  labels", &format!("name: {fault}\n  labels"))
                .replace("app: gateway,", "app: faulty,")
                .replace("--propagation-delay=2s", &flags);
            apply(namespace, &pod).await
        };
        for fault in FAULTS {
            start(fault).await?;
        }
        let ready = ["wait", "--for=condition=Ready", "pod", "-l", "app=faulty", "--timeout=60s"];
        kubectl(namespace, &ready).await?;
        let workload = include_str!("../manifests/workload.yaml")
            .replace("$NAME", "apisix-route")
            .replace("$IMAGE", &image);
        apply(namespace, &workload).await?;
        kubectl(namespace, &["rollout", "status", "deployment/apisix-route", "--timeout=90s"]).await?;
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        let listed = pods.list(&ListParams::default().labels("app=apisix-route")).await?.items;
        let address = |pod: &Pod| {
            let ip = pod.status.as_ref()?.pod_ip.clone()?;
            Some(serde_json::json!({"host": ip, "port": 8080, "weight": 100}))
        };
        let nodes: Vec<_> = listed.iter().filter_map(address).collect();
        let tell = async |gateways: &[&str], nodes: &[Value]| {
            for gateway in gateways {
                let path = format!(
                    "/api/v1/namespaces/{namespace}/pods/{gateway}:9180/proxy/apisix/admin/upstreams/1"
                );
                let upstream = serde_json::json!({"name": "web", "nodes": nodes}).to_string();
                let request = axum::http::Request::put(path).body(upstream.into_bytes())?;
                client.request_text(request).await?;
            }
            anyhow::Ok(())
        };
        let delete = async |pod: &str| {
            kubectl(namespace, &["delete", "pod", pod, "--wait=false", "--grace-period=1"]).await
        };
        tell(&FAULTS, &nodes).await?;
        let measure = |selector: &'static str, time: &'static str| {
            let args = ["measure", "-n", namespace, "--output=json", time, selector];
            async move { apisix_prestop(&args, None).await }
        };
        let leave = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            delete(&listed[0].name_any()).await?;
            tell(&FAULTS, &nodes[1..]).await
        };
        let (run, left) = tokio::join!(measure("--gateway-selector=app=faulty", "--for=22s"), leave);
        left?;
        let run = run?;
        assert_eq!(run.code, 0, "{run:?}");
        let report: Value = serde_json::from_str(&run.stdout)?;
        let gateways = report["gateways"].as_array().context("no gateways")?;
        assert_eq!(gateways.len(), FAULTS.len(), "{report:#}");
        let problem = |fault: &str| {
            let name = format!("{namespace}/{fault}");
            let gateway = gateways.iter().find(|gateway| gateway["name"] == name.as_str());
            gateway.and_then(|gateway| gateway["problem"].as_str()).unwrap_or_default().to_owned()
        };
        assert_eq!(problem("none"), "", "{report:#}");
        assert!(problem("hang").contains("has not answered"), "{report:#}");
        assert!(!problem("flood").is_empty(), "{report:#}");
        assert_eq!(report["samples"], 0, "two of them have not said when: {report:#}");

        // Gateways that go are not waited for, nor is one that comes while a Pod leaves.
        let leave = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            for gone in &FAULTS[1..] {
                delete(gone).await?;
            }
            delete(&listed[1].name_any()).await?;
            start("stale").await?;
            tokio::time::sleep(Duration::from_secs(3)).await;
            tell(&FAULTS[..1], &nodes[2..]).await
        };
        let (run, left) = tokio::join!(measure("--gateway-selector=app=faulty", "--for=20s"), leave);
        left?;
        let run = run?;
        let report: Value = serde_json::from_str(&run.stdout)?;
        assert_eq!(report["samples"], 1, "{report:#}");
        assert_eq!(report["workloads"][0]["name"], "Deployment/apisix-route", "{report:#}");
        Ok(())
    })
    .await
}
