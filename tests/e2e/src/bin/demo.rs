//! `make demo`: the same rolling update without the webhook and with it, with the failed requests
//! counted.

use anyhow::Result;
use apisix_prestop_e2e::{
    gateway::{MEASURED, PROPAGATION_DELAY, ROUTED},
    image::fixtures_image,
    installation,
    namespace::{self, OPTED_IN},
    rollout::{RATE, Rolling, Rollout, measure},
    route::Route,
    slow_gateway::{self, FOLLOWED, SLOW, SlowRollouts},
};
use futures::future::try_join_all;
use kube::Client;

/// Some rows of the table: workloads that are rolled out in one namespace.
struct Group {
    title: &'static str,
    namespace: &'static str,
    opted_in: bool,
    routes: &'static [Route],
    /// Whether the gateway tries another node when it cannot connect to one.
    retry: bool,
}

const WITHOUT: Group = Group {
    title: "without",
    namespace: "demo-without",
    opted_in: false,
    routes: &Route::ALL,
    retry: false,
};
const WITHOUT_RETRY: Group = Group {
    title: "without, gateway retries",
    namespace: "demo-without-retry",
    routes: &[Route::ApisixRoute],
    retry: true,
    ..WITHOUT
};
const WITH: Group =
    Group { title: "with apisix-prestop", namespace: "demo-with", opted_in: true, ..WITHOUT };

type Row = (&'static str, Route, Rollout);

#[tokio::main]
async fn main() -> Result<()> {
    println!("==> installing the chart with Helm");
    let client = Client::try_default().await?;
    installation::install(&client, &[]).await?;
    println!(
        "==> rolling out Deployments of 4 Pods, behind a gateway that learns of changes from the\n    \
         ingress controller of APISIX and applies them {} s late, under {RATE} requests/s each",
        PROPAGATION_DELAY.as_secs(),
    );
    // Those without the webhook have nothing in common but the machine and the gateway.
    let (without, without_retry) =
        tokio::try_join!(rollouts(&client, &WITHOUT), rollouts(&client, &WITHOUT_RETRY))?;
    let with = rollouts(&client, &WITH).await?;
    let slow = slow_rollouts(&client).await?;
    println!("\n{}", table([without, without_retry, with, slow].into_iter().flatten()));
    println!("{LOOK_AROUND}");
    Ok(())
}

async fn rollouts(client: &Client, group: &Group) -> Result<Vec<Row>> {
    println!("    {} (namespace {}) …", group.title, group.namespace);
    let labels = if group.opted_in { format!("{ROUTED}, {OPTED_IN}") } else { ROUTED.to_owned() };
    namespace::create(group.namespace, &labels).await?;
    try_join_all(group.routes.iter().map(async |route| {
        let rolling = Rolling { retry: group.retry, ..Rolling::default() };
        let rollout = measure(client, group.namespace, *route, rolling).await?;
        Ok((group.title, *route, rollout))
    }))
    .await
}

/// The third act: the gateway is later than the default delay.
async fn slow_rollouts(client: &Client) -> Result<Vec<Row>> {
    let namespace = "demo-slow";
    let late = SLOW.as_secs();
    println!(
        "==> now the gateway is {late} s late, and the delay follows (namespace {namespace}) …"
    );
    installation::install(client, &[&MEASURED[..], &[FOLLOWED]].concat()).await?;
    namespace::create(namespace, &format!("{ROUTED}, {OPTED_IN}")).await?;
    let image = fixtures_image()?;
    let SlowRollouts { fixed, followed, .. } =
        slow_gateway::roll(client, namespace, &image, async || Ok(())).await?;
    let route = Route::ApisixRoute;
    Ok(vec![("7 s late, delay 5s", route, fixed), ("7 s late, delay auto", route, followed)])
}

fn table(rows: impl Iterator<Item = Row>) -> String {
    let row = |cells: [&str; 8]| {
        let [title, route, requests, failed, slow, p99, sigterm, took] = cells;
        format!(
            "{title:<26}{route:<12}{requests:>9}{failed:>8}{slow:>14}{p99:>10}{sigterm:>16}{took:>10}\n"
        )
    };
    let mut table =
        row(["", "", "requests", "failed", "slow (> 1 s)", "p99", "SIGTERM after", "rollout"]);
    for (title, route, rollout) in rows {
        let load = &rollout.load;
        let sigterm = rollout
            .times_to_sigterm()
            .map_or(String::new(), |(shortest, _)| format!("{:.1} s", shortest.as_secs_f64()));
        table += &row([
            title,
            route.kind(),
            &load.sent.to_string(),
            &load.failed.to_string(),
            &load.slow.to_string(),
            &format!("{:.0} ms", load.p99_millis),
            &sigterm,
            &format!("{:.1} s", rollout.took.as_secs_f64()),
        ]);
    }
    table
}

const LOOK_AROUND: &str = "\
The cluster is still running. Look around:

  export CLUSTER_NAME=demo
  tests/cluster/cluster run kubectl get pods --all-namespaces
  tests/cluster/cluster run kubectl -n demo-with get pods -l app=ingress -o yaml
  tests/cluster/cluster run kubectl -n apisix-prestop-gateway logs deployment/controller
  tests/cluster/cluster run kubectl -n apisix-prestop logs -l app.kubernetes.io/name=apisix-prestop

End it with: make demo-down";
