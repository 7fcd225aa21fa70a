//! The loads, and sending one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::body::Bytes;
use rustls::ClientConfig;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::client::Connection;

/// How requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// On so many connections, each request as soon as the one before it is answered.
    Closed(u32),
    /// So many per second, whether or not they succeed, on so many connections in turn.
    Open { rate: u32, connections: u32 },
    /// As `Closed`, with a connection for each request.
    NewConnections(u32),
}

/// A load and what it consists of.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
    pub(crate) body: &'static [u8],
}

pub(crate) const ONE: &[u8] = include_bytes!("../../../benches/bodies/one.json");

pub(crate) const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "1 connection", load: Load::Closed(1), body: ONE },
    Scenario { name: "8 connections", load: Load::Closed(8), body: ONE },
    Scenario { name: "64 connections", load: Load::Closed(64), body: ONE },
    Scenario { name: "200/s", load: Load::Open { rate: 200, connections: 8 }, body: ONE },
    Scenario { name: "a new one each", load: Load::NewConnections(4), body: ONE },
    Scenario {
        name: "8, nothing to do",
        load: Load::Closed(8),
        body: include_bytes!("../../../benches/bodies/noop.json"),
    },
    Scenario {
        name: "8, five, 16 KB",
        load: Load::Closed(8),
        body: include_bytes!("../../../benches/bodies/five.json"),
    },
    Scenario {
        name: "8, five, 103 KB",
        load: Load::Closed(8),
        body: include_bytes!("../../../benches/bodies/large.json"),
    },
];

/// Sends the load for `time` and returns how long each request took.
pub(crate) async fn send(
    scenario: &Scenario,
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    time: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let body = Bytes::from_static(scenario.body);
    let start = Instant::now();
    let end = start + time;
    let mut clients = JoinSet::new();
    match scenario.load {
        Load::Closed(connections) => {
            for _ in 0..connections {
                clients.spawn(closed(address, config.clone(), body.clone(), end));
            }
        }
        Load::Open { rate, connections } => {
            let interval = Duration::from_secs(1) * connections / rate;
            for i in 0..connections {
                let first = start + interval * i / connections;
                let (config, body) = (config.clone(), body.clone());
                clients.spawn(open(address, config, body, first, interval, end));
            }
        }
        Load::NewConnections(at_once) => {
            for _ in 0..at_once {
                clients.spawn(new_connections(address, config.clone(), body.clone(), end));
            }
        }
    }
    let mut took = Vec::new();
    while let Some(client) = clients.join_next().await {
        took.extend(client??);
    }
    Ok(took)
}

type Took = anyhow::Result<Vec<Duration>>;

async fn closed(address: SocketAddr, config: Arc<ClientConfig>, body: Bytes, end: Instant) -> Took {
    let mut connection = Connection::open(address, config).await?;
    let mut took = Vec::new();
    loop {
        let started = Instant::now();
        if started >= end {
            return Ok(took);
        }
        connection.review(&body).await?;
        took.push(started.elapsed());
    }
}

/// The latency counts from when a request is due: a late response delays the next request too.
async fn open(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    body: Bytes,
    first: Instant,
    interval: Duration,
    end: Instant,
) -> Took {
    let mut connection = Connection::open(address, config).await?;
    let mut took = Vec::new();
    let mut due = first;
    while due < end {
        sleep_until(due).await;
        connection.review(&body).await?;
        took.push(due.elapsed());
        due += interval;
    }
    Ok(took)
}

async fn new_connections(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    body: Bytes,
    end: Instant,
) -> Took {
    let mut took = Vec::new();
    loop {
        let started = Instant::now();
        if started >= end {
            return Ok(took);
        }
        Connection::open(address, config.clone()).await?.review(&body).await?;
        took.push(started.elapsed());
    }
}
