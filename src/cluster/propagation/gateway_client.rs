//! Asks one gateway which addresses it sends requests to.

use std::{
    collections::HashSet,
    convert::Infallible,
    fmt,
    future::pending,
    io::{self, Read},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{CONNECTION, HOST},
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::Portforwarder};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use crate::{
    cluster::read_error::{ReadError, in_time},
    constants::{
        CONTROL_API_ANSWER_TIMEOUT, CONTROL_API_CONNECT_TIMEOUT, MAX_CONTROL_API_HEADER_BYTES,
        MAX_FORWARD_ERROR_CHARS,
    },
    propagation::{ControlApiError, ControlApiPath, read_addresses},
};

/// How many pieces of an answer wait to be read. Each has at most [`MAX_CONTROL_API_HEADER_BYTES`], the
/// size of the buffer that they come from.
const WAITING_PIECES: usize = 4;

/// How to reach the Control API of a gateway Pod.
#[derive(Clone, Debug)]
pub(crate) enum GatewayAccess {
    /// At the address of the Pod.
    PodIp(SocketAddr),
    /// Through the API server and the kubelet, which connects to 127.0.0.1 in the Pod.
    PortForward {
        /// The Pods of its namespace.
        pods: Box<Api<Pod>>,
        /// The name of the Pod.
        pod: String,
        /// The port.
        port: u16,
    },
}

/// `ADDRESS:PORT`, or `port PORT of POD`.
impl fmt::Display for GatewayAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodIp(address) => address.fmt(f),
            Self::PortForward { pod, port, .. } => write!(f, "port {port} of {pod}"),
        }
    }
}

/// What a gateway sends requests to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GatewayAnswer {
    /// Those of the wanted addresses that it has.
    pub(crate) present: HashSet<SocketAddr>,
    /// The paths that had any of them.
    pub(crate) paths: Vec<ControlApiPath>,
}

/// Why a gateway has not said what it sends requests to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The Pod refuses the connection.
    #[error("nobody listens on {at}: expose the Control API of APISIX, or use a port-forward")]
    Refused { at: String },
    /// The Pod refuses the connection from inside, too.
    #[error("nobody listens on {at}: enable the Control API of APISIX")]
    RefusedInside { at: String },
    /// Connecting takes too long.
    #[error("no connection to {at} within {limit:?}")]
    ConnectTimeout { at: String, limit: Duration },
    /// Connecting fails.
    #[error("no connection to {at}: {error}")]
    Connect { at: String, error: String },
    /// The answer takes too long.
    #[error("{at} has not answered {path} within {limit:?}")]
    AnswerTimeout { at: String, path: ControlApiPath, limit: Duration },
    /// The connection ends too early.
    #[error("{at} has closed the connection before the end of its answer to {path}")]
    Closed { at: String, path: ControlApiPath },
    /// What answers is no HTTP server.
    #[error("{at} does not answer {path} in HTTP: is this the port of the Control API?")]
    NoHttp { at: String, path: ControlApiPath },
    /// The header has no end.
    #[error("{at} answers {path} with a header of more than {} KiB", MAX_CONTROL_API_HEADER_BYTES >> 10)]
    LargeHeader { at: String, path: ControlApiPath },
    /// None of the paths exists.
    #[error("{at} knows no path of the Control API of APISIX: is this its port?")]
    NoPath { at: String },
    /// It refuses, or sends us elsewhere.
    #[error("{at} answers {path} with {status}")]
    Status { at: String, path: ControlApiPath, status: StatusCode },
    /// The answer is of no use.
    #[error("{at} has no usable answer to {path}: {error}")]
    Answer { at: String, path: ControlApiPath, error: ControlApiError },
}

/// How long things may take.
#[derive(Clone, Copy)]
struct AskLimits {
    connect: Duration,
    answer: Duration,
}

/// Asks a gateway which of the `wanted` addresses it has at `paths`. When the future is dropped, it hangs
/// up.
///
/// # Errors
/// When one of the paths has no usable answer, or none of them exists. One that does not exist has no
/// addresses.
pub(crate) async fn ask(
    access: &GatewayAccess,
    paths: &[ControlApiPath],
    wanted: &Arc<HashSet<SocketAddr>>,
) -> Result<GatewayAnswer, AskError> {
    let limits =
        AskLimits { connect: CONTROL_API_CONNECT_TIMEOUT, answer: CONTROL_API_ANSWER_TIMEOUT };
    ask_within(limits, access, paths, wanted).await
}

async fn ask_within(
    limits: AskLimits,
    access: &GatewayAccess,
    paths: &[ControlApiPath],
    wanted: &Arc<HashSet<SocketAddr>>,
) -> Result<GatewayAnswer, AskError> {
    let mut answer = GatewayAnswer::default();
    let mut is_control_api = false;
    for path in paths.iter().copied() {
        let question = Question { limits, access, path, wanted };
        let Some(present) = question.ask().await? else { continue };
        is_control_api = true;
        if !present.is_empty() {
            answer.paths.push(path);
        }
        answer.present.extend(present);
    }
    // Another port of APISIX answers 404, too. That it has no addresses would mean nothing.
    is_control_api.then_some(answer).ok_or_else(|| AskError::NoPath { at: access.to_string() })
}

/// One request.
struct Question<'a> {
    limits: AskLimits,
    access: &'a GatewayAccess,
    path: ControlApiPath,
    wanted: &'a Arc<HashSet<SocketAddr>>,
}

impl Question<'_> {
    /// The addresses that it has at the path. `None` where the path does not exist.
    async fn ask(&self) -> Result<Option<HashSet<SocketAddr>>, AskError> {
        match self.access {
            GatewayAccess::PodIp(address) => {
                let connected = timeout(self.limits.connect, TcpStream::connect(address)).await;
                let stream = connected.map_err(|_| self.connect_timeout())?;
                let stream = stream.map_err(|error| match error.kind() {
                    io::ErrorKind::ConnectionRefused => AskError::Refused { at: self.at() },
                    _ => AskError::Connect { at: self.at(), error: error.to_string() },
                })?;
                self.ask_over(stream).await
            }
            GatewayAccess::PortForward { pods, pod, port } => {
                let forwarded = in_time(self.limits.connect, pods.portforward(pod, &[*port])).await;
                let mut forward = PortForward(forwarded.map_err(|error| match error {
                    ReadError::Timeout(_) => self.connect_timeout(),
                    error => self.forward_error(&error.to_string()),
                })?);
                let stream = forward.0.take_stream(*port);
                let failure = forward.0.take_error(*port);
                let (Some(stream), Some(failure)) = (stream, failure) else {
                    return Err(self.forward_error("there is no stream"));
                };
                tokio::select! {
                    biased;
                    // What the kubelet says.
                    Some(error) = failure => Err(self.forward_error(&error)),
                    present = self.ask_over(stream) => present,
                }
            }
        }
    }

    async fn ask_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<Option<HashSet<SocketAddr>>, AskError> {
        let limit = self.limits.answer;
        let answered = timeout(limit, self.exchange(stream)).await;
        answered.map_err(|_| AskError::AnswerTimeout { at: self.at(), path: self.path, limit })?
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<Option<HashSet<SocketAddr>>, AskError> {
        let mut client = http1::Builder::new();
        client.max_buf_size(MAX_CONTROL_API_HEADER_BYTES);
        let connected = client.handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|error| self.broken(&error))?;
        let connection = async {
            // An error of the connection is one of the answer, too.
            let _ = connection.await;
            pending::<Infallible>().await
        };
        let answered = async {
            let response = sender.send_request(self.request()).await;
            let response = response.map_err(|error| self.broken(&error))?;
            match response.status() {
                StatusCode::OK => self.read(response.into_body()).await.map(Some),
                StatusCode::NOT_FOUND => Ok(None),
                status => Err(AskError::Status { at: self.at(), path: self.path, status }),
            }
        };
        tokio::select! {
            present = answered => present,
            never = connection => match never {},
        }
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let host = match self.access {
            GatewayAccess::PodIp(address) => *address,
            GatewayAccess::PortForward { port, .. } => SocketAddr::from(([127, 0, 0, 1], *port)),
        };
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = Uri::from_static(self.path.as_str());
        // An address is always a valid value.
        if let Ok(host) = HeaderValue::try_from(host.to_string()) {
            request.headers_mut().insert(HOST, host);
        }
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        request
    }

    /// Reads the body beside the runtime: to read 100 MB takes a second.
    async fn read(&self, mut body: Incoming) -> Result<HashSet<SocketAddr>, AskError> {
        let (pieces, received) = mpsc::channel(WAITING_PIECES);
        let (path, wanted) = (self.path, self.wanted.clone());
        let reading = tokio::task::spawn_blocking(move || {
            read_addresses(Pieces { piece: Bytes::new(), received }, path, &wanted)
        });
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.broken(&error))?;
            if let Ok(piece) = frame.into_data()
                && pieces.send(piece).await.is_err()
            {
                // The reader has found an error.
                break;
            }
        }
        drop(pieces);
        // The reader does not panic: without an answer, the runtime ends.
        let read = reading.await.unwrap_or(Err(ControlApiError::Read(io::ErrorKind::Interrupted)));
        read.map_err(|error| AskError::Answer { at: self.at(), path: self.path, error })
    }

    fn at(&self) -> String {
        self.access.to_string()
    }

    fn connect_timeout(&self) -> AskError {
        AskError::ConnectTimeout { at: self.at(), limit: self.limits.connect }
    }

    fn forward_error(&self, text: &str) -> AskError {
        if text.contains("connection refused") {
            return AskError::RefusedInside { at: self.at() };
        }
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let short = plain.take(MAX_FORWARD_ERROR_CHARS);
        AskError::Connect { at: self.at(), error: short.collect() }
    }

    fn broken(&self, error: &hyper::Error) -> AskError {
        let (at, path) = (self.at(), self.path);
        if error.is_parse_too_large() {
            AskError::LargeHeader { at, path }
        } else if error.is_parse() {
            AskError::NoHttp { at, path }
        } else {
            AskError::Closed { at, path }
        }
    }
}

/// A port-forward that ends when it is dropped.
struct PortForward(Portforwarder);

impl Drop for PortForward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The pieces of an answer, for a thread that may block.
struct Pieces {
    piece: Bytes,
    received: mpsc::Receiver<Bytes>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.received.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
