//! The real program, over real TLS and with real signals, on loopback.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs)]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming},
    client::conn::{http1, http2},
    header::CONNECTION,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair};
use rstest::rstest;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, ChildStderr},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const PROGRAM: &str = env!("CARGO_BIN_EXE_apisix-prestop");
const EXAMPLE: &str = include_str!("../manifests/examples/review.json");
/// Nothing in here takes longer, short of a fault.
const LIMIT: Duration = Duration::from_secs(15);

/// The program while it runs. It is killed when this is dropped.
struct Server {
    child: Child,
    log: tokio::io::Lines<BufReader<ChildStderr>>,
    /// The lines so far.
    seen: String,
    webhook: u16,
    admin: u16,
}

impl Server {
    async fn start(flags: &[&str]) -> Self {
        let mut command = tokio::process::Command::new(PROGRAM);
        command
            .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .args(flags)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            // Whatever cluster the developer is logged in to is not for the tests.
            .env_remove("KUBECONFIG")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env("HOME", "/nonexistent")
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut server = Self { child, log, seen: String::new(), webhook: 0, admin: 0 };
        let serving = server.wait_for(" serving version=").await;
        let port = |key: &str| {
            let value = serving.split(key).nth(1).unwrap().split(' ').next().unwrap();
            value.rsplit(':').next().unwrap().parse().unwrap()
        };
        (server.webhook, server.admin) = (port(" address="), port(" admin_address="));
        server
    }

    /// The next line of the log with `text` in it.
    async fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let line = timeout(deadline - Instant::now(), self.log.next_line()).await;
            let Ok(Ok(Some(line))) = line else {
                panic!("no {text:?} in the log ({line:?}):\n{}", self.seen);
            };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    async fn exit(&mut self) -> ExitStatus {
        timeout(LIMIT, self.child.wait()).await.expect("the program should have ended").unwrap()
    }

    async fn readiness(&self) -> (StatusCode, String) {
        let stream = TcpStream::connect(("127.0.0.1", self.admin)).await.unwrap();
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/ready").body(Full::<Bytes>::default()).unwrap();
        let response = client.send_request(request).await.unwrap();
        (response.status(), text(response).await)
    }
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn review<B>(body: B) -> Request<B> {
    let request = Request::post("/inject?timeout=2s").header("content-type", "application/json");
    request.header("host", "localhost").body(body).unwrap()
}

fn example() -> Request<Full<Bytes>> {
    review(Full::from(EXAMPLE))
}

/// A CA of the tests, and a mounted Secret with certificates of it.
struct Certificates {
    ca: CertifiedIssuer<'static, KeyPair>,
    secret: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificates = Self { ca, secret: tempfile::tempdir().unwrap() };
        certificates.rotate();
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), certificates.path(file)).unwrap();
        }
        certificates
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.secret.path().join(file)
    }

    /// Swaps in a new pair as the kubelet does it, and returns the new certificate.
    fn rotate(&self) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, _> = &self.ca;
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        self.swap(&certificate.pem(), &key.serialize_pem());
        certificate.into()
    }

    fn swap(&self, chain: &str, key: &str) {
        let version =
            tempfile::Builder::new().prefix("..v").tempdir_in(&self.secret).unwrap().keep();
        fs::write(version.join("tls.crt"), chain).unwrap();
        fs::write(version.join("tls.key"), key).unwrap();
        symlink(version.file_name().unwrap(), self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
    }

    async fn start(&self, flags: &[&str]) -> Server {
        let (chain, key) = (self.path("tls.crt"), self.path("tls.key"));
        let files =
            [format!("--tls-cert={}", chain.display()), format!("--tls-key={}", key.display())];
        let mut all: Vec<_> = files.iter().map(String::as_str).collect();
        all.extend(flags);
        Server::start(&all).await
    }

    async fn connect(&self, server: &Server, protocol: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", server.webhook)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    async fn served(&self, server: &Server) -> CertificateDer<'static> {
        let stream = self.connect(server, b"http/1.1").await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }

    /// A kept-alive HTTP/1.1 connection.
    async fn client<B>(&self, server: &Server) -> http1::SendRequest<B>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = TokioIo::new(self.connect(server, b"http/1.1").await);
        let (client, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

async fn assert_answered(client: &mut http1::SendRequest<Full<Bytes>>, connection: Option<&str>) {
    client.ready().await.unwrap();
    let response = client.send_request(example()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let header = response.headers().get(CONNECTION).map(|value| value.to_str().unwrap());
    assert_eq!(header, connection);
    assert!(text(response).await.contains("\"allowed\":true"));
}

#[tokio::test]
async fn a_first_try_without_flags_works_as_it_says() {
    let mut server = Server::start(&[]).await;
    let curl = server.wait_for("curl").await;
    for said in ["throw-away self-signed certificate", "no API server to ask, so it means exec"] {
        assert!(server.seen.contains(said), "expected {said:?} in\n{}", server.seen);
    }
    let output = tokio::process::Command::new("sh")
        .args(["-c", &curl])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        concat!(
            r#"[{"op":"add","path":"/spec/containers/0/lifecycle","value":"#,
            r#"{"preStop":{"exec":{"command":["/bin/sh","-c","sleep 25"]}}}},"#,
            r#"{"op":"add","path":"/spec/terminationGracePeriodSeconds","value":35},"#,
            r#"{"op":"add","path":"/metadata/annotations/apisix-prestop~1injected","#,
            r#""value":"web=25s; grace 30s→35s"}]"#,
        ),
        "this is what the line shows: {curl}"
    );
    let line = server.wait_for(" reviewed ").await;
    for field in [
        "namespace=\"shop\"",
        "owner=ReplicaSet/web-6c54bd5869",
        "decision=\"inject\"",
        "reason=\"hook_missing\"",
        "delay=25",
        "grace_raised_to=35",
    ] {
        assert!(line.contains(field), "expected {field} in {line}");
    }
}

#[test]
fn the_log_can_be_json() {
    let output = Command::new("timeout")
        .args([
            "--foreground",
            "--preserve-status",
            "--signal=TERM",
            "2",
            PROGRAM,
            "serve",
            "--hook=exec",
        ])
        .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--drain-delay=0"])
        .args(["--drain-timeout=1s", "--log-format=json", "--events=false"])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages[1..], ["serving", "draining", "drained"], "{log}");
    assert_eq!(lines[1]["hook"], "exec", "fields are members of the object: {log}");
}

#[tokio::test]
async fn a_connection_is_kept_alive() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut client = certificates.client(&server).await;
    for _ in 0..3 {
        assert_answered(&mut client, None).await;
    }
}

#[tokio::test]
async fn http2_is_spoken_where_the_client_asks_for_it() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let stream = certificates.connect(&server, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = example();
    *request.uri_mut() = "https://localhost/inject".parse().unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(text(response).await.contains("\"allowed\":true"));
}

#[tokio::test]
async fn garbage_on_the_wire_does_not_stop_the_server() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b""] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.webhook)).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        // A reset is an answer too.
        let _ = timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await.unwrap();
    }
    assert_answered(&mut certificates.client(&server).await, None).await;
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_dropped_connection() {
    let certificates = Certificates::new();
    let mut server = certificates.start(&["--hook=sleep"]).await;
    let mut open_since_the_start = certificates.client(&server).await;
    for rotation in 1..=2 {
        let new = certificates.rotate();
        assert_ne!(certificates.served(&server).await, new, "not before it is read");
        server.wait_for("serving the new certificate").await;
        assert_eq!(certificates.served(&server).await, new, "after rotation {rotation}");
        assert_answered(&mut open_since_the_start, None).await;
    }
    let last_good = certificates.served(&server).await;
    certificates.swap("half a certifi", "");
    server.wait_for("still serving the last good certificate").await;
    assert_eq!(certificates.served(&server).await, last_good);
    let healed = certificates.rotate();
    server.wait_for("serving the new certificate").await;
    assert_eq!(certificates.served(&server).await, healed);
    assert_answered(&mut open_since_the_start, None).await;
}

#[tokio::test]
async fn sigterm_drains_and_exits_with_0() {
    let certificates = Certificates::new();
    let flags = ["--hook=sleep", "--drain-delay=2s", "--drain-timeout=5s"];
    let mut server = certificates.start(&flags).await;
    let mut kept_alive = certificates.client(&server).await;
    assert_answered(&mut kept_alive, None).await;
    // A request whose body is still on its way when the listener closes.
    let (body, frames) = tokio::sync::mpsc::channel(1);
    let stream = futures::stream::unfold(frames, |mut frames| async {
        frames.recv().await.map(|frame: Result<Frame<Bytes>, std::io::Error>| (frame, frames))
    });
    let mut client = certificates.client(&server).await;
    let in_flight = tokio::spawn(async move {
        client.send_request(review(StreamBody::new(Box::pin(stream)))).await
    });
    let (half, rest) = EXAMPLE.split_at(EXAMPLE.len() / 2);
    body.send(Ok(Frame::data(Bytes::from_static(half.as_bytes())))).await.unwrap();

    server.signal("-TERM");
    let signalled = Instant::now();
    server.wait_for("draining").await;
    let draining = (StatusCode::SERVICE_UNAVAILABLE, "not ready: draining\n".to_owned());
    assert_eq!(server.readiness().await, draining);
    assert_answered(&mut kept_alive, Some("close")).await;
    assert_answered(&mut certificates.client(&server).await, Some("close")).await;

    sleep(Duration::from_millis(2500).saturating_sub(signalled.elapsed())).await;
    let late = TcpStream::connect(("127.0.0.1", server.webhook)).await;
    assert!(late.is_err(), "nothing is accepted once the drain delay is over");
    body.send(Ok(Frame::data(Bytes::from_static(rest.as_bytes())))).await.unwrap();
    drop(body);
    let answer = timeout(LIMIT, in_flight).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "what was in flight is answered");
    assert_eq!(server.exit().await.code(), Some(0), "log:\n{}", server.seen);
}

#[tokio::test]
async fn a_client_that_never_ends_does_not_hold_up_the_exit() {
    let certificates = Certificates::new();
    let flags = ["--hook=sleep", "--drain-delay=0", "--drain-timeout=1s"];
    let mut server = certificates.start(&flags).await;
    let mut client = certificates.client(&server).await;
    let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
    tokio::spawn(async move { client.send_request(review(never)).await });
    sleep(Duration::from_millis(200)).await;
    server.signal("-TERM");
    server.wait_for("the drain timeout is over").await;
    assert_eq!(server.exit().await.code(), Some(0));
}

#[rstest]
#[case::sigterm("-TERM")]
#[case::control_c("-INT")]
#[tokio::test]
async fn a_second_signal_aborts(#[case] signal: &str) {
    let mut server = Server::start(&["--drain-delay=60s"]).await;
    server.signal("-TERM");
    server.wait_for("draining").await;
    server.signal(signal);
    server.wait_for("error: aborted by a second signal before the drain was over").await;
    assert_eq!(server.exit().await.code(), Some(1));
}

#[rstest]
#[case::delay_not_a_number(&["--delay=soon"], "--delay <SECONDS>': expected whole seconds from 0 to 3600, such as 15 or 15s or 1m30s")]
#[case::delay_too_long(&["--delay=3601"], "--delay <SECONDS>': expected no more than 3600 seconds")]
#[case::delay_above_maximum(&["--delay=301"], "error: --delay 301s is above --max-delay 300s")]
#[case::mode(&["--mode=dry"], "--mode <MODE>'")]
#[case::grace(&["--grace=lower"], "--grace <POLICY>'")]
#[case::reserve(&["--shutdown-reserve=2h"], "--shutdown-reserve <SECONDS>': expected whole seconds from 0 to 3600")]
#[case::hook(&["--hook=curl"], "--hook <HOOK>'")]
#[case::address(&["--listen=8443"], "--listen <ADDRESS>': invalid socket address syntax")]
#[case::log_filter(&["--log=inof"], "--log <FILTER>': expected a level (off, error, warn, info, debug, trace) or TARGET=LEVEL")]
#[case::log_format(&["--log-format=xml"], "--log-format <FORMAT>'")]
#[case::key_without_certificate(&["--tls-key=/tmp/key"], "--tls-cert <FILE>")]
#[case::no_such_file(&["--tls-cert=/nonexistent/tls.crt", "--tls-key=/nonexistent/tls.key"], "error: --tls-cert /nonexistent/tls.crt: No such file or directory")]
#[case::not_a_certificate(&["--tls-cert=/dev/null", "--tls-key=/dev/null"], "error: --tls-cert /dev/null, --tls-key /dev/null: no certificate in PEM form")]
#[case::address_not_ours(&["--listen=192.0.2.1:8443"], "error: --listen: cannot listen on 192.0.2.1:8443: ")]
#[case::unknown_flag(&["--wait=5"], "unexpected argument '--wait'")]
fn a_bad_flag_is_named_and_the_exit_code_is_2(#[case] flags: &[&str], #[case] message: &str) {
    let mut command = Command::new(PROGRAM);
    // Another port than the default: should a flag be taken, nothing else is in the way.
    command.args(
        ["serve", "--hook=exec", "--events=false", "--admin-listen=127.0.0.1:0"].iter().filter(
            |given| {
                let name = given.split('=').next().unwrap();
                !flags.iter().any(|flag| flag.starts_with(&format!("{name}=")))
            },
        ),
    );
    let output = command.args(flags).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(message), "expected {message:?} in {stderr:?}");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
}

#[test]
fn a_flag_can_come_from_the_environment() {
    let output =
        Command::new(PROGRAM).arg("serve").env("APISIX_PRESTOP_DELAY", "soon").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("'soon' for '--delay <SECONDS>'"), "{stderr}");
}
