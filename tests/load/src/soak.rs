//! The soak: a steady load for a long time. No review may fail, and the cost must not grow.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hyper::body::Bytes;
use rustls::ClientConfig;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::sleep_until,
};

use crate::{
    certificate::Certificate,
    client::Connection,
    process::Process,
    run::{answers, start},
    scenario::ONE,
    table::{self, Sample},
};

/// How many reviews a second.
const RATE: u32 = 200;
/// On how many connections.
const CONNECTIONS: u32 = 8;
/// After how many reviews a connection is replaced, which is every 8 s: a leak per connection shows
/// too.
const REVIEWS_A_CONNECTION: u32 = 200;
/// How much more memory may be resident in the last third than in the first, in KiB.
const MEMORY_BOUND: u64 = 1024;
/// How many more descriptors may be open. A few, as old connections overlap with new ones.
const DESCRIPTOR_BOUND: u64 = 16;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The static binary of apisix-prestop.
    #[arg(long, default_value = "target/rootfs/apisix-prestop")]
    program: PathBuf,
    /// For how long.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(6..))]
    seconds: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let certificate = Certificate::make()?;
    let client = certificate.client_config()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let samples = runtime.block_on(async {
        let mut server = start(&options.program, &certificate.pair, "warn")?;
        answers(&mut server, &client).await?;
        soak(&mut server, &client, Duration::from_secs(options.seconds)).await
    })?;
    judge(&samples)
}

/// A line each 10 s, or each sixth of the time where that is shorter.
async fn soak(
    server: &mut Process,
    config: &Arc<ClientConfig>,
    time: Duration,
) -> anyhow::Result<Vec<Sample>> {
    let start = Instant::now();
    let end = start + time;
    let (took, mut answered) = unbounded_channel();
    let mut clients = JoinSet::new();
    for i in 0..CONNECTIONS {
        let first = start + Duration::from_secs(1) * i / RATE;
        clients.spawn(send(server.address, config.clone(), first, end, took.clone()));
    }
    table::print_soak_head();
    let each = Duration::from_secs(10).min(time / 6);
    let (mut samples, mut due) = (Vec::new(), start + each);
    while due <= end {
        tokio::select! {
            () = sleep_until(due.into()) => {
                server.check()?;
                let sample = sample(server, start.elapsed(), &mut answered)?;
                table::print_soak_row(&sample);
                samples.push(sample);
                due += each;
            }
            Some(ended) = clients.join_next() => ended?.context("a review failed")?,
        }
    }
    Ok(samples)
}

/// Sends each review when it is due, and returns how long each took from then.
async fn send(
    address: std::net::SocketAddr,
    config: Arc<ClientConfig>,
    first: Instant,
    end: Instant,
    took: UnboundedSender<Duration>,
) -> anyhow::Result<()> {
    let body = Bytes::from_static(ONE);
    let interval = Duration::from_secs(1) * CONNECTIONS / RATE;
    let mut due = first;
    while due < end {
        let mut connection = Connection::open(address, config.clone()).await?;
        for _ in 0..REVIEWS_A_CONNECTION {
            sleep_until(due.into()).await;
            connection.review(&body).await?;
            took.send(due.elapsed())?;
            due += interval;
        }
    }
    Ok(())
}

fn sample(
    server: &Process,
    at: Duration,
    answered: &mut UnboundedReceiver<Duration>,
) -> anyhow::Result<Sample> {
    let mut took = Vec::new();
    while let Ok(one) = answered.try_recv() {
        took.push(one);
    }
    ensure!(!took.is_empty(), "no review was answered until {at:?}");
    took.sort_unstable();
    let (resident, descriptors) =
        (support::proc::resident(server.id())?, support::proc::descriptors(server.id())?);
    Ok(Sample::new(at, &took, resident, descriptors))
}

fn judge(samples: &[Sample]) -> anyhow::Result<()> {
    let third = samples.len().div_ceil(3);
    let (first, last) = (&samples[..third], &samples[samples.len() - third..]);
    let most = |samples: &[Sample], value: fn(&Sample) -> u64| {
        samples.iter().map(value).max().unwrap_or_default()
    };
    for (what, value, bound) in [
        ("KiB are resident", (|s| s.resident) as fn(&Sample) -> u64, MEMORY_BOUND),
        ("descriptors are open", |s| s.descriptors, DESCRIPTOR_BOUND),
    ] {
        let (before, after) = (most(first, value), most(last, value));
        ensure!(
            after <= before + bound,
            "in the last third {after} {what}, in the first {before}: more than {bound} apart"
        );
    }
    Ok(())
}
