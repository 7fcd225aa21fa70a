//! Accepting connections, and letting them finish.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use hyper::{
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
    service::TowerToHyperService,
};
use rustls::{ServerConfig, ServerConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connection_metrics::{ConnectionMetrics, Lost},
    open_connections::{OpenConnection, OpenConnections},
};
use crate::constants::{
    FIRST_REQUEST_TIMEOUT, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_BUFFER_BYTES, MAX_HEADER_BYTES,
    MAX_TLS_BUFFER_BYTES,
};

/// How long to wait after an error of `accept`, mostly a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Shortest time between two lines of the log about connections that find no place.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// How a listener treats its connections.
#[derive(Clone)]
pub struct ListenerOptions {
    /// The configuration of TLS; `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// Counts them.
    pub metrics: ConnectionMetrics,
    /// When to stop.
    pub stop: CancellationToken,
    /// How long open connections may then take to finish.
    pub drain_timeout: Duration,
}

/// Accepts connections until `stop` is cancelled. Then closes the listener, lets each open
/// connection finish its request, and gives up on them after the drain timeout.
pub async fn accept(listener: TcpListener, router: Router, options: ListenerOptions) {
    let ListenerOptions { tls, max_connections, metrics, stop, drain_timeout } = options;
    let server = Server { tls: tls.map(TlsAcceptor::from), router, stop: stop.clone() };
    let tasks = TaskTracker::new();
    let open = OpenConnections::new(max_connections, metrics.clone());
    let mut crowd = CrowdLog::new(metrics.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            // Without a place it is closed: an error now serves the client better than a wait.
            Ok((stream, peer)) => {
                if let Some(connection) = open.add(peer.ip()) {
                    let server = server.clone();
                    OpenConnections::spawn(&tasks, connection, |it| server.serve(stream, it));
                }
                if open.is_full() {
                    // A connection that gives way closes before the next one is accepted.
                    yield_now().await;
                }
                crowd.report();
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection");
                metrics.lose(Lost::NotAccepted);
                crowd.report();
                open.evict();
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if timeout(drain_timeout, tasks.wait()).await.is_err() {
        let open = tasks.len();
        tracing::warn!(open, "the drain timeout is over; closing the connections that are left");
    }
}

/// Writes to the log, now and then, that connections find no place.
struct CrowdLog {
    metrics: ConnectionMetrics,
    reported: u64,
    next: Instant,
}

impl CrowdLog {
    fn new(metrics: ConnectionMetrics) -> Self {
        Self { metrics, reported: 0, next: Instant::now() }
    }

    fn report(&mut self) {
        let displaced = self.metrics.displaced();
        if displaced == self.reported || Instant::now() < self.next {
            return;
        }
        let connections = displaced - self.reported;
        tracing::warn!(connections, "clients hold all connections: some were closed or refused");
        self.reported = displaced;
        self.next = Instant::now() + WARNING_INTERVAL;
    }
}

#[derive(Clone)]
struct Server {
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
}

impl Server {
    async fn serve(self, stream: TcpStream, connection: OpenConnection) {
        // Responses are small, and a client waits for each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, connection).await;
        };
        let limited = |tls: &mut ServerConnection| tls.set_buffer_limit(Some(MAX_TLS_BUFFER_BYTES));
        let accepted = tokio::select! {
            accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept_with(stream, limited)) => accepted,
            () = self.stop.cancelled() => return,
        };
        match accepted {
            Ok(Ok(stream)) => {
                self.speak_http(stream, connection).await;
            }
            // At debug level: TCP probes and port scans look like this.
            Ok(Err(error)) => {
                connection.lose(Lost::HandshakeFailed);
                tracing::debug!(%error, "the TLS handshake failed");
            }
            Err(_) => {
                connection.lose(Lost::HandshakeTimeout);
                tracing::debug!("the TLS handshake took too long");
            }
        }
    }

    async fn speak_http<I>(self, stream: I, connection: OpenConnection)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, stop, .. } = self;
        let router = TowerToHyperService::new(router);
        let (connection, first_request) = (Arc::new(connection), Arc::new(Notify::new()));
        let service = {
            let (connection, first_request) = (connection.clone(), first_request.clone());
            service_fn(move |request| {
                first_request.notify_one();
                let (connection, response) = (connection.clone(), router.call(request));
                async move {
                    let response = response.await?;
                    if response.status().is_success() {
                        connection.has_answered();
                    }
                    Ok::<_, Infallible>(response)
                }
            })
        };
        let http = pin!(http1_builder().serve_connection(TokioIo::new(stream), service));
        drive(http, &connection, &first_request, &stop).await;
    }
}

/// From the handshake to the end: waits for the first request, serves until the server stops,
/// and finishes the request that is under way. Idle connections are closed only then: the client
/// may just be sending the next request, which it would have to send again.
async fn drive<C: GracefulConnection<Error = hyper::Error>>(
    mut http: Pin<&mut C>,
    connection: &OpenConnection,
    first_request: &Notify,
    stop: &CancellationToken,
) {
    let result = 'ended: {
        tokio::select! {
            biased;
            result = http.as_mut() => break 'ended result,
            () = first_request.notified() => {}
            () = stop.cancelled() => {}
            () = sleep(FIRST_REQUEST_TIMEOUT) => return connection.lose(Lost::NoRequest),
        }
        tokio::select! {
            biased;
            result = http.as_mut() => break 'ended result,
            () = stop.cancelled() => http.as_mut().graceful_shutdown(),
        }
        http.await
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// A request with a larger header gets a 431, and its connection is closed.
fn http1_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(MAX_HEADER_BYTES as usize)
        .max_buf_size(MAX_BUFFER_BYTES as usize);
    http
}
