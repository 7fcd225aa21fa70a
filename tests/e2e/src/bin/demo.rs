//! `make demo`: the same rolling update without the webhook and with it, and what became of the
//! requests.

use anyhow::Result;
use apisix_prestop_e2e::{
    installation,
    namespace::{self, OPTED_IN},
    rollout::{LOAD_DURATION, PROPAGATION_DELAY, RATE, Rollout, measure},
};
use kube::Client;

/// A row of the table: its title, its namespace, the labels of that, and whether the gateway
/// tries another node when it cannot connect to one.
const ROWS: [(&str, &str, &str, bool); 3] = [
    ("without", "demo-without", "", false),
    ("without, gateway retries", "demo-without-retry", "", true),
    ("with apisix-prestop", "demo-with", OPTED_IN, false),
];

#[tokio::main]
async fn main() -> Result<()> {
    println!("==> installing the chart with Helm");
    let client = Client::try_default().await?;
    installation::install(&client, &[]).await?;
    println!(
        "==> rolling a Deployment of 4 Pods {} times, behind a gateway that hears of changes {} s \
         late,\n    under {RATE} requests/s for {} s each",
        ROWS.len(),
        PROPAGATION_DELAY.as_secs(),
        LOAD_DURATION.as_secs(),
    );
    let mut rollouts = Vec::new();
    for (title, name, labels, retry) in ROWS {
        println!("    {title} (namespace {name}) ...");
        namespace::create(name, labels).await?;
        rollouts.push((title, measure(&client, name, retry).await?));
    }
    println!("\n{}", table(&rollouts));
    println!("{LOOK_AROUND}");
    Ok(())
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
