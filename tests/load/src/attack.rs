//! A steady load of ordinary reviews while another client attacks: none may fail.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hyper::body::Bytes;
use rustls::ClientConfig;
use support::attack::{Attack, Attacker};
use tokio::{task::JoinSet, time::sleep_until};

use crate::{
    certificate::Certificate,
    client::Connection,
    process::Process,
    run::{answers, start},
    scenario::ONE,
    table::{self, AttackRow},
};

/// How many reviews a second, and on how many connections.
const RATE: u32 = 200;
const CONNECTIONS: u32 = 8;
/// After how many reviews a connection is replaced: new ones find a place too.
const REVIEWS_A_CONNECTION: u32 = 10;
/// The address of the attacker.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Half of the memory limit of the chart, in KiB.
const MEMORY_LIMIT: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The static binary of apisix-prestop.
    #[arg(long, default_value = "target/rootfs/apisix-prestop")]
    program: PathBuf,
    /// How long each attack takes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Only this attack.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let time = Duration::from_secs(options.seconds);
    let runtime = tokio::runtime::Runtime::new()?;
    table::print_attack_head();
    let attacks = Attack::ALL.iter().map(|attack| (attack.name(), std::slice::from_ref(attack)));
    let none = ("none", &[][..]);
    let all = ("all at once", &Attack::ALL[..]);
    let chosen = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    for (name, attacks) in [none].into_iter().chain(attacks).chain([all]) {
        if !chosen(name) {
            continue;
        }
        // A server of its own: the peak of its memory is that of this attack.
        let row = runtime.block_on(under_attack(options, attacks, time))?;
        table::print_attack_row(name, &row);
        ensure!(row.failed == 0, "{} reviews failed during: {name}", row.failed);
        ensure!(row.peak < MEMORY_LIMIT, "{} KiB of memory during: {name}", row.peak);
    }
    Ok(())
}

async fn under_attack(
    options: &Options,
    attacks: &[Attack],
    time: Duration,
) -> anyhow::Result<AttackRow> {
    let certificate = Certificate::make()?;
    let client = certificate.client_config()?;
    let mut server = start(&options.program, &certificate.pair, "warn")?;
    answers(&mut server, &client).await?;
    let attacker = Attacker {
        webhook: server.address,
        admin: server.second.context("no admin listener")?,
        name: "127.0.0.1".to_owned(),
        config: ClientConfig::clone(&client),
        source: Some(ATTACKER),
    };
    let mut attacking = JoinSet::new();
    for attack in attacks {
        let (attacker, attack) = (attacker.clone(), *attack);
        attacking.spawn(async move { attacker.run(attack, time).await });
    }
    let (mut took, failed) = review(&server, &client, time).await?;
    attacking.join_all().await;
    server.check()?;
    took.sort_unstable();
    ensure!(!took.is_empty(), "no review was answered");
    Ok(AttackRow::new(&took, failed, support::proc::peak_resident(server.id())?))
}

/// How long each review took, and how many failed.
async fn review(
    server: &Process,
    config: &Arc<ClientConfig>,
    time: Duration,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for i in 0..CONNECTIONS {
        let first = start + Duration::from_secs(1) * i / RATE;
        let (address, config) = (server.address, config.clone());
        clients.spawn(async move {
            let (mut took, mut failed, mut due) = (Vec::new(), 0, first);
            let body = Bytes::from_static(ONE);
            let mut connection = None;
            for number in 0.. {
                if due >= start + time {
                    break;
                }
                sleep_until(due.into()).await;
                if number % REVIEWS_A_CONNECTION == 0 {
                    connection = Connection::open(address, config.clone()).await.ok();
                }
                let reviewed = match &mut connection {
                    Some(connection) => connection.review(&body).await.is_ok(),
                    None => false,
                };
                if reviewed {
                    took.push(due.elapsed())
                } else {
                    failed += 1
                }
                due += Duration::from_secs(1) * CONNECTIONS / RATE;
            }
            (took, failed)
        });
    }
    let (mut took, mut failed) = (Vec::new(), 0);
    for (times, failures) in clients.join_all().await {
        took.extend(times);
        failed += failures;
    }
    Ok((took, failed))
}
