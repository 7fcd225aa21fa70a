//! Reviews that are made to cost as much as possible, and clients that take all they can.

use std::{
    fmt::Write,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use futures::future::join_all;
use rustls::ClientConfig;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, sleep_until, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::{plan::review_of, tls};

/// A little less than the largest body.
pub const SIZE: usize = 6_900_000;

/// A list that repeats `element` until it has the size of an attack.
pub fn list(element: &str) -> String {
    format!("[{}]", vec![element; SIZE / (element.len() + 1)].join(","))
}

/// A review of the Pod with these texts in it.
pub fn body(metadata: &str, spec: &str) -> String {
    let mut review = review_of(&json!("POD")).to_string();
    let pod = format!(r#"{{"metadata":{metadata},"spec":{spec}}}"#);
    let at = review.find(r#""POD""#).unwrap();
    review.replace_range(at..at + 5, &pod);
    review
}

pub fn spec(containers: &str) -> String {
    body("{}", &format!(r#"{{"containers":{containers}}}"#))
}

pub fn hook(hook: &str) -> String {
    spec(&format!(r#"[{{"name":"app","lifecycle":{{"preStop":{hook}}}}}]"#))
}

pub fn metadata(field: &str, value: &str) -> String {
    body(&format!(r#"{{"{field}":{value}}}"#), r#"{"containers":[{"name":"app"}]}"#)
}

pub fn annotation(key: &str, value: &str) -> String {
    metadata("annotations", &format!(r#"{{"apisix-prestop/{key}":"{value}"}}"#))
}

pub fn numbered(entry: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for i in 0.. {
        if text.len() > SIZE {
            break;
        }
        let _ = write!(text, "{}{}", if i == 0 { "" } else { "," }, entry(i));
    }
    text
}

pub const OWNER: &str = r#"{"kind":"ReplicaSet","name":"web","controller":true}"#;

/// The reviews that cost the most, with a name for each.
pub fn bodies() -> Vec<(&'static str, String)> {
    let record = "a=1,".repeat(SIZE / 4);
    let port = list(r#"{"containerPort":1}"#);
    vec![
        ("containers", spec(&list(r#"{"name":""}"#))),
        ("containers that are strings", spec(&list(r#""""#))),
        ("ports", spec(&format!(r#"[{{"name":"app","ports":{port}}}]"#))),
        ("words", hook(&format!(r#"{{"exec":{{"command":{}}}}}"#, list(r#""""#)))),
        ("owners", metadata("ownerReferences", &list(OWNER))),
        ("record", annotation("injected", &record)),
        ("delays", annotation("container-delays", &numbered(|i| format!("c{i}=1")))),
        ("white space", format!("{}{}", " ".repeat(SIZE), review_of(&json!({})))),
    ]
}

/// A review whose answer is as long as any: as many containers as are looked at.
pub fn long_answer() -> String {
    let name = |i: usize| format!("{i:03}{}", "x".repeat(60));
    let containers: Vec<_> =
        (0..250).map(|i| format!(r#"{{"name":"{}","image":"x"}}"#, name(i))).collect();
    spec(&format!("[{}]", containers.join(",")))
}

/// How an attacker uses the ports of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Connections that say nothing.
    Silent,
    /// Requests that get no review.
    WrongRequests,
    /// Requests whose bodies do not come.
    NoBodies,
    /// Clients that ask for long answers and read none.
    NoReading,
    /// Bodies of almost 7 MiB, a dozen at once, that are made to cost much.
    LargeBodies,
    /// Two bodies of 7 MiB that come slowly and never end.
    SlowBodies,
    /// Connections to the admin port that say nothing.
    SilentAdmin,
    /// Clients of the admin port that ask for the metrics and read nothing.
    AdminRequests,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::WrongRequests,
        Self::NoBodies,
        Self::NoReading,
        Self::LargeBodies,
        Self::SlowBodies,
        Self::SilentAdmin,
        Self::AdminRequests,
    ];

    /// A few words for a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "600 silent connections",
            Self::WrongRequests => "600 wrong requests",
            Self::NoBodies => "600 bodies that do not come",
            Self::NoReading => "600 clients that do not read",
            Self::LargeBodies => "12 large bodies at once",
            Self::SlowBodies => "2 slow bodies of 7 MiB",
            Self::SilentAdmin => "600 silent on the admin port",
            Self::AdminRequests => "600 on the admin port",
        }
    }
}

/// A client that means harm.
#[derive(Clone, Debug)]
pub struct Attacker {
    /// The webhook's listener.
    pub webhook: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// The name in the certificate.
    pub name: String,
    /// Trusts the certificate.
    pub config: ClientConfig,
    /// Its own address, where it has several.
    pub source: Option<Ipv4Addr>,
}

impl Attacker {
    /// Attacks for about `time`.
    pub async fn run(&self, attack: Attack, time: Duration) {
        const COUNT: usize = 600;
        let end = Instant::now() + time;
        let webhook = (0..COUNT).map(|_| self.connect());
        let admin = (0..COUNT).map(|_| self.open(self.admin));
        match attack {
            Attack::Silent => hold(webhook, b"", end).await,
            Attack::WrongRequests => {
                hold(webhook, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", end).await;
            }
            Attack::NoBodies => hold(webhook, request("10s", SIZE).as_bytes(), end).await,
            Attack::NoReading => {
                let body = long_answer();
                let requests = format!("{}{body}", request("10s", body.len())).repeat(8);
                hold(webhook, requests.as_bytes(), end).await;
            }
            Attack::LargeBodies => {
                let bodies = bodies();
                for (_, body) in bodies.iter().cycle() {
                    if Instant::now() >= end {
                        break;
                    }
                    join_all((0..12).map(|_| self.send(body))).await;
                }
            }
            Attack::SlowBodies => {
                join_all((0..2).map(|_| self.send_slowly(end))).await;
            }
            Attack::SilentAdmin => hold(admin, b"", end).await,
            Attack::AdminRequests => {
                hold(admin, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n", end).await;
            }
        }
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        timeout(LIMIT, tls::open(self.source, address)).await?
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.open(self.webhook).await?;
        let handshake = tls::handshake(stream, &self.name, self.config.clone(), &[b"http/1.1"]);
        timeout(LIMIT, handshake).await?
    }

    /// Sends a review, and reads the beginning of the answer.
    async fn send(&self, body: &str) -> io::Result<()> {
        let mut stream = self.connect().await?;
        stream.write_all(request("10s", body.len()).as_bytes()).await?;
        // The replica may answer before it has all.
        let _ = stream.write_all(body.as_bytes()).await;
        timeout(LIMIT, stream.read(&mut [0; 1024])).await??;
        Ok(())
    }

    async fn send_slowly(&self, end: Instant) -> io::Result<()> {
        while Instant::now() < end {
            let mut stream = self.connect().await?;
            stream.write_all(request("10s", 7 * 1024 * 1024).as_bytes()).await?;
            for _ in 0..29 {
                if stream.write_all(&[b' '; 250_000]).await.is_err() || Instant::now() >= end {
                    break;
                }
                sleep(Duration::from_millis(250)).await;
            }
        }
        Ok(())
    }
}

/// Opens connections, sends `bytes` on each, and reads nothing until `end`.
async fn hold<S: AsyncWrite + Unpin>(
    connections: impl Iterator<Item = impl Future<Output = io::Result<S>>>,
    bytes: &[u8],
    end: Instant,
) {
    let held = join_all(connections.map(async |connection| {
        let mut stream = connection.await?;
        let left = end.saturating_duration_since(Instant::now());
        let _ = timeout(left, stream.write_all(bytes)).await;
        io::Result::Ok(stream)
    }))
    .await;
    sleep_until(end.into()).await;
    drop(held);
}

/// Longer than any limit of time in the program.
const LIMIT: Duration = Duration::from_secs(60);

/// The head of a request whose client waits for so long, with a body of `length` bytes.
pub fn request(timeout: &str, length: usize) -> String {
    format!(
        "POST /inject?timeout={timeout} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}
