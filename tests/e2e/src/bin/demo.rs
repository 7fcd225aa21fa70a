//! `make demo`: the same rolling update without the webhook and with it, with the failed requests
//! counted.

use anyhow::Result;
use apisix_prestop_e2e::{
    installation,
    namespace::{self, OPTED_IN},
    rollout::{LOAD_DURATION, PROPAGATION_DELAY, RATE, Rollout, measure},
};
use kube::Client;

/// A row of the table.
struct Row {
    title: &'static str,
    namespace: &'static str,
    /// The labels of the namespace, as YAML.
    labels: &'static str,
    /// Whether the gateway tries another node when it cannot connect to one.
    retry: bool,
}

const WITHOUT: Row = Row { title: "without", namespace: "demo-without", labels: "", retry: false };
const WITHOUT_RETRY: Row = Row {
    title: "without, gateway retries",
    namespace: "demo-without-retry",
    retry: true,
    ..WITHOUT
};
const WITH: Row =
    Row { title: "with apisix-prestop", namespace: "demo-with", labels: OPTED_IN, retry: false };

#[tokio::main]
async fn main() -> Result<()> {
    println!("==> installing the chart with Helm");
    let client = Client::try_default().await?;
    installation::install(&client, &[]).await?;
    println!(
        "==> rolling out a Deployment of 4 Pods 3 times, behind a gateway that learns of changes \
         {} s late,\n    under {RATE} requests/s for {} s each",
        PROPAGATION_DELAY.as_secs(),
        LOAD_DURATION.as_secs(),
    );
    // The two without the webhook have nothing in common but the machine.
    let (without, without_retry) =
        tokio::try_join!(rollout(&client, &WITHOUT), rollout(&client, &WITHOUT_RETRY))?;
    let with = rollout(&client, &WITH).await?;
    println!("\n{}", table(&[without, without_retry, with]));
    println!("{LOOK_AROUND}");
    Ok(())
}

async fn rollout(client: &Client, row: &Row) -> Result<(&'static str, Rollout)> {
    println!("    {} (namespace {}) …", row.title, row.namespace);
    namespace::create(row.namespace, row.labels).await?;
    Ok((row.title, measure(client, row.namespace, row.retry).await?))
}

fn table(rollouts: &[(&str, Rollout)]) -> String {
    let row = |cells: [&str; 7]| {
        let [title, requests, failed, slow, p99, sigterm, took] = cells;
        format!("{title:<26}{requests:>9}{failed:>8}{slow:>14}{p99:>10}{sigterm:>16}{took:>10}\n")
    };
    let mut table =
        row(["", "requests", "failed", "slow (> 1 s)", "p99", "SIGTERM after", "rollout"]);
    for (title, rollout) in rollouts {
        let load = &rollout.load;
        let sigterm = rollout
            .times_to_sigterm()
            .map_or(String::new(), |(shortest, _)| format!("{:.1} s", shortest.as_secs_f64()));
        table += &row([
            title,
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
  tests/cluster/cluster run kubectl -n demo-with get pods -l app=web -o yaml
  tests/cluster/cluster run kubectl -n apisix-prestop logs -l app.kubernetes.io/name=apisix-prestop

End it with: make demo-down";
