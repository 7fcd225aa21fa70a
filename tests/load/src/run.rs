//! The run: all servers side by side, one load after another.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hyper::body::Bytes;
use rustls::ClientConfig;

use crate::{
    Pair,
    certificate::Certificate,
    client::Connection,
    process::Process,
    scenario::{SCENARIOS, Scenario, send},
    table::{self, Measured},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The static binary of apisix-prestop.
    #[arg(long, default_value = "target/rootfs/apisix-prestop")]
    program: PathBuf,
    /// Another binary of apisix-prestop, to compare with, such as one of an earlier release.
    #[arg(long, value_name = "PROGRAM")]
    baseline: Option<PathBuf>,
    /// How often each load is sent to each server. The best of them counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Only to see that it works: one short round.
    #[arg(long, conflicts_with = "rounds")]
    short: bool,
    /// Only the loads whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// A server that is measured, and how it is called in the tables.
struct Subject {
    name: &'static str,
    process: Process,
}

/// How often and how long each load is sent to each server. The machine is never quiet all the
/// time, so the best round counts.
struct Effort {
    rounds: u32,
    time: Duration,
    starts: u32,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let effort = if options.short {
        Effort { rounds: 1, time: Duration::from_millis(200), starts: 2 }
    } else {
        Effort { rounds: options.rounds, time: Duration::from_millis(2500), starts: 20 }
    };
    let size = fs::metadata(&options.program)
        .with_context(|| format!("{}: make rootfs", options.program.display()))?
        .len();
    let certificate = Certificate::make()?;
    let client = certificate.client_config()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut first_answer = Duration::MAX;
        for _ in 0..effort.starts {
            let mut server = start(&options.program, &certificate.pair, "warn")?;
            first_answer = first_answer.min(answers(&mut server, &client).await?);
        }
        let this = std::env::current_exe()?;
        let arguments = limit_arguments(&certificate.pair);
        let limit = Process::start(this.as_os_str(), &arguments, Stdio::inherit())?;
        let subject = |name, program: &Path, log| -> anyhow::Result<Subject> {
            Ok(Subject { name, process: start(program, &certificate.pair, log)? })
        };
        let mut subjects = vec![
            Subject { name: "limit", process: limit },
            subject("log=warn", &options.program, "warn")?,
            subject("log=info", &options.program, "info")?,
        ];
        if let Some(baseline) = &options.baseline {
            subjects.push(subject("base=warn", baseline, "warn")?);
            subjects.push(subject("base=info", baseline, "info")?);
        }
        for subject in &mut subjects {
            answers(&mut subject.process, &client).await?;
        }
        table::print_head();
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&options.only)) {
            let mut best: Vec<Option<Measured>> = vec![None; subjects.len()];
            for _ in 0..effort.rounds {
                for (subject, best) in subjects.iter().zip(&mut best) {
                    let measured = measure(subject, scenario, &client, effort.time).await?;
                    let better = best.is_none_or(|b| measured.cpu_per_10k < b.cpu_per_10k);
                    *best = if better { Some(measured) } else { *best };
                }
            }
            let limit = best[0];
            for (subject, measured) in subjects.iter().zip(best) {
                table::print_row(scenario.name, subject.name, measured, limit);
            }
        }
        table::print_foot(first_answer, size);
        Ok(())
    })
}

/// Starts apisix-prestop with a log of this level.
pub(crate) fn start(program: &Path, pair: &Pair, log: &str) -> anyhow::Result<Process> {
    let mut arguments: Vec<String> = ["serve", "--listen={}", "--admin-listen={}"]
        .into_iter()
        .chain(["--hook=sleep", "--events=false", "--upstreams=false"])
        .map(str::to_owned)
        .collect();
    arguments.push(format!("--log={log}"));
    arguments.extend(pair_arguments(pair));
    // At `warn` it says nothing, short of a fault.
    let stderr = if log == "info" { Stdio::null() } else { Stdio::inherit() };
    Process::start(program.as_os_str(), &arguments, stderr)
}

fn limit_arguments(pair: &Pair) -> Vec<String> {
    let arguments = ["limit".to_owned(), "--listen={}".to_owned()];
    arguments.into_iter().chain(pair_arguments(pair)).collect()
}

fn pair_arguments(Pair { tls_cert, tls_key }: &Pair) -> [String; 2] {
    [format!("--tls-cert={}", tls_cert.display()), format!("--tls-key={}", tls_key.display())]
}

/// From the start of the process to its first answer, for which it is asked again and again.
pub(crate) async fn answers(
    server: &mut Process,
    client: &Arc<ClientConfig>,
) -> anyhow::Result<Duration> {
    let body = Bytes::from_static(SCENARIOS[0].body);
    loop {
        let answer =
            async { Connection::open(server.address, client.clone()).await?.review(&body).await };
        let result = answer.await;
        let took = server.started.elapsed();
        match result {
            Ok(()) => return Ok(took),
            Err(error) if took > Duration::from_secs(10) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_micros(200)).await,
        }
        server.check()?;
    }
}

async fn measure(
    subject: &Subject,
    scenario: &Scenario,
    client: &Arc<ClientConfig>,
    time: Duration,
) -> anyhow::Result<Measured> {
    let process = &subject.process;
    let before = process.cpu()?;
    let started = Instant::now();
    let mut took = send(scenario, process.address, client, time).await?;
    let elapsed = started.elapsed();
    let cpu = process.cpu()?.saturating_sub(before);
    ensure!(!took.is_empty(), "{}: no request was answered", subject.name);
    took.sort_unstable();
    Ok(Measured::new(&took, elapsed, cpu, support::proc::peak_resident(process.id())?))
}
