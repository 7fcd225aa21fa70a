//! The program as it runs, and clients of it.
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header::CONNECTION,
};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ConfigBuilder,
    client::WantsClientCert,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, ChildStderr},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{mounted_secret::MountedSecret, proc, program_path, repository, tls};

pub const EXAMPLE: &str = include_str!("../../../manifests/examples/review.json");
/// Nothing in here takes longer, short of a fault.
pub const LIMIT: Duration = Duration::from_secs(15);

/// The program while it runs. It is killed when this is dropped.
pub struct Server {
    pub child: Child,
    log: tokio::io::Lines<BufReader<ChildStderr>>,
    /// The lines so far.
    pub seen: String,
    pub webhook: u16,
    pub admin: u16,
}

impl Server {
    pub async fn start(flags: &[&str]) -> Self {
        Self::start_by(tokio::process::Command::new(program_path()), flags).await
    }

    /// With no more than `limit` descriptors.
    pub async fn start_with_descriptors(limit: u64, flags: &[&str]) -> Self {
        let mut command = tokio::process::Command::new("sh");
        let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(program_path());
        Self::start_by(command, flags).await
    }

    async fn start_by(mut command: tokio::process::Command, flags: &[&str]) -> Self {
        command
            .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
            .args(flags)
            .current_dir(repository())
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
    pub async fn wait_for(&mut self, text: &str) -> String {
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

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub async fn exit(&mut self) -> ExitStatus {
        timeout(LIMIT, self.child.wait()).await.expect("the program should have ended").unwrap()
    }

    /// How much memory it has resident, in KiB.
    pub fn resident(&self) -> u64 {
        proc::resident(self.child.id().unwrap()).unwrap()
    }

    /// The most memory that it has had resident, in KiB.
    pub fn peak_resident(&self) -> u64 {
        proc::peak_resident(self.child.id().unwrap()).unwrap()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> u64 {
        proc::descriptors(self.child.id().unwrap()).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.webhook).into()
    }

    pub async fn readiness(&self) -> (StatusCode, String) {
        self.admin("/ready").await
    }

    /// The page of metrics.
    pub async fn metrics(&self) -> String {
        self.admin("/metrics").await.1
    }

    async fn admin(&self, path: &str) -> (StatusCode, String) {
        let stream = TcpStream::connect(("127.0.0.1", self.admin)).await.unwrap();
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
        let response = client.send_request(request).await.unwrap();
        (response.status(), text(response).await)
    }
}

/// A connection from another address of loopback.
pub async fn connect_from(source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    tls::open(Some(source), (Ipv4Addr::LOCALHOST, port).into()).await
}

pub async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

pub fn review<B>(body: B) -> Request<B> {
    let request = Request::post("/inject?timeout=10s").header("content-type", "application/json");
    request.header("host", "localhost").body(body).unwrap()
}

pub fn example() -> Request<Full<Bytes>> {
    review(Full::from(EXAMPLE))
}

/// A CA of the tests, and a mounted Secret with certificates of it.
pub struct Certificates {
    pub ca: CertifiedIssuer<'static, KeyPair>,
    secret: MountedSecret,
}

impl Certificates {
    #[expect(clippy::new_without_default, reason = "each call makes other keys")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let secret = MountedSecret::new(&[("tls.crt", ""), ("tls.key", "")]);
        let certificates = Self { ca, secret };
        certificates.rotate();
        certificates
    }

    pub fn path(&self, file: &str) -> std::path::PathBuf {
        self.secret.path(file)
    }

    /// Swaps in a new pair as the kubelet does it, and returns the new certificate.
    pub fn rotate(&self) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, _> = &self.ca;
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        self.swap(&certificate.pem(), &key.serialize_pem());
        certificate.into()
    }

    pub fn swap(&self, chain: &str, key: &str) {
        self.secret.swap(&[("tls.crt", chain), ("tls.key", key)]);
    }

    pub async fn start(&self, flags: &[&str]) -> Server {
        Server::start(&self.flags(flags).iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// The flags with which the program serves the mounted certificate, and others.
    pub fn flags(&self, others: &[&str]) -> Vec<String> {
        let (chain, key) = (self.path("tls.crt"), self.path("tls.key"));
        let files =
            [format!("--tls-cert={}", chain.display()), format!("--tls-key={}", key.display())];
        files.into_iter().chain(others.iter().map(|flag| (*flag).to_owned())).collect()
    }

    pub async fn connect(&self, server: &Server) -> TlsStream<TcpStream> {
        self.try_connect(server, &[b"http/1.1"]).await.unwrap()
    }

    /// As a client with this address.
    pub async fn connect_from(
        &self,
        source: Ipv4Addr,
        server: &Server,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = connect_from(source, server.webhook).await?;
        let config = self.trusting().with_no_client_auth();
        tls::handshake(stream, "localhost", config, &[b"http/1.1"]).await
    }

    /// As a client that offers these protocols by ALPN.
    pub async fn try_connect(
        &self,
        server: &Server,
        offered: &[&[u8]],
    ) -> io::Result<TlsStream<TcpStream>> {
        tls::connect(server.address(), "localhost", self.trusting().with_no_client_auth(), offered)
            .await
    }

    /// As a client that shows a certificate of this CA, to a server that has one of `served`.
    pub async fn connect_as_client(
        &self,
        server: &Server,
        served: &Self,
    ) -> io::Result<TlsStream<TcpStream>> {
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, _> = &self.ca;
        let params = CertificateParams::new(["kube-apiserver".to_owned()]).unwrap();
        let chain = vec![params.signed_by(&key, issuer).unwrap().into()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = served.trusting().with_client_auth_cert(chain, key).unwrap();
        tls::connect(server.address(), "localhost", config, &[b"http/1.1"]).await
    }

    fn trusting(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        tls::trusting([self.ca.der().clone()]).unwrap()
    }

    pub async fn served(&self, server: &Server) -> CertificateDer<'static> {
        tls::verified(server.address(), "localhost", &self.ca.pem()).await.unwrap()
    }

    /// A kept-alive HTTP/1.1 connection.
    pub async fn client<B>(&self, server: &Server) -> http1::SendRequest<B>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        http1_client(self.connect(server).await).await
    }
}

/// HTTP/1.1 on a connection that is there.
pub async fn http1_client<B>(stream: TlsStream<TcpStream>) -> http1::SendRequest<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

pub async fn assert_answered(
    client: &mut http1::SendRequest<Full<Bytes>>,
    connection: Option<&str>,
) {
    client.ready().await.unwrap();
    let response = client.send_request(example()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let header = response.headers().get(CONNECTION).map(|value| value.to_str().unwrap());
    assert_eq!(header, connection);
    assert!(text(response).await.contains("\"allowed\":true"));
}
