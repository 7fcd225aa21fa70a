//! Accepting connections, and letting them finish.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::{
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::newcomers::{Newcomer, Newcomers};
use crate::constants::{
    FIRST_REQUEST_TIMEOUT, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_BUFFER_BYTES, MAX_HEADER_BYTES,
    MAX_STREAMS,
};

/// How long to wait after an error of `accept`, which is mostly a lack of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long a newcomer that has to go may take for it.
const EVICTION_TIMEOUT: Duration = Duration::from_millis(100);

/// The two steps in which a server stops.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Connections are asked to go elsewhere. Others are still accepted.
    pub leave: CancellationToken,
    /// None is accepted any more, those that are idle are closed, and the others finish.
    pub close: CancellationToken,
}

/// What a listener does with its connections.
#[derive(Clone)]
pub struct Terms {
    /// TLS; without it, plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// How many connections may be open.
    pub max_connections: usize,
    /// When to stop.
    pub stop: Stop,
    /// How long connections may take to finish then.
    pub drain_timeout: Duration,
}

/// Accepts connections until it is to stop, then closes the listener, lets each open connection
/// finish its request, and gives up on them after the drain timeout.
pub async fn accept(listener: TcpListener, router: Router, terms: Terms) {
    let Terms { tls, max_connections, stop, drain_timeout } = terms;
    let server = Server { tls: tls.map(TlsAcceptor::from), router, stop: stop.clone() };
    let (connections, newcomers) = (TaskTracker::new(), Arc::new(Newcomers::default()));
    let slots = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.close.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match room(&slots, &newcomers).await {
                Some(slot) => {
                    let connection = server.clone().serve(stream, newcomers.enter());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                // Closed: the client is better served by an error now than by waiting here.
                None => tracing::debug!(%peer, "too many connections"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(drain_timeout, connections.wait()).await.is_err() {
        let open = connections.len();
        tracing::warn!(open, "the drain timeout is over; closing the connections that are left");
    }
}

/// A free slot, or that of the oldest newcomer.
async fn room(slots: &Arc<Semaphore>, newcomers: &Newcomers) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return Some(slot);
    }
    if !newcomers.evict() {
        return None;
    }
    // It goes at once, unless its first request has just come.
    timeout(EVICTION_TIMEOUT, slots.clone().acquire_owned()).await.ok()?.ok()
}

#[derive(Clone)]
struct Server {
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: Stop,
}

impl Server {
    async fn serve(self, stream: TcpStream, newcomer: Newcomer) {
        // Answers are small and somebody waits for each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, false, newcomer).await;
        };
        let accepted = tokio::select! {
            accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => accepted,
            () = newcomer.evicted() => return,
            () = self.stop.close.cancelled() => return,
        };
        match accepted {
            Ok(Ok(stream)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.speak_http(stream, http2, newcomer).await;
            }
            // At debug level: a TCP probe or a port scan looks like this.
            Ok(Err(error)) => tracing::debug!(%error, "the TLS handshake failed"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
    }

    async fn speak_http<I>(self, stream: I, http2: bool, newcomer: Newcomer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, stop, .. } = self;
        let service = TowerToHyperService::new(router);
        let stream = TokioIo::new(stream);
        let first_request = Arc::new(Notify::new());
        let service = {
            let first_request = first_request.clone();
            service_fn(move |request| {
                first_request.notify_one();
                service.call(request)
            })
        };
        if http2 {
            // HTTP/2 can be told to leave at any time.
            let leave = &stop.leave;
            let connection = pin!(http2_builder().serve_connection(stream, service));
            drive(connection, newcomer, &first_request, leave, &stop.close).await;
        } else {
            // HTTP/1.1 is told with an answer. Only at the end are idle connections closed: the
            // client may just be sending the next request, which it would have to send again.
            let connection = pin!(http1_builder().serve_connection(stream, service));
            drive(connection, newcomer, &first_request, &stop.close, &stop.close).await;
        }
    }
}

/// From the handshake to the end: waits for the first request, serves until it is time to leave,
/// and finishes what is under way.
async fn drive<C: GracefulConnection<Error = hyper::Error>>(
    mut connection: Pin<&mut C>,
    newcomer: Newcomer,
    first_request: &Notify,
    leave: &CancellationToken,
    close: &CancellationToken,
) {
    let result = 'ended: {
        tokio::select! {
            biased;
            result = connection.as_mut() => break 'ended result,
            () = first_request.notified() => {}
            () = close.cancelled() => {}
            () = newcomer.evicted() => return,
            () = sleep(FIRST_REQUEST_TIMEOUT) => return,
        }
        drop(newcomer);
        tokio::select! {
            biased;
            result = connection.as_mut() => break 'ended result,
            () = leave.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// What is beyond the header's limit is answered with 431 and closed.
fn http1_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(MAX_HEADER_BYTES as usize)
        .max_buf_size(MAX_BUFFER_BYTES as usize);
    http
}

/// Clients that open streams and reset them get a GOAWAY by hyper's own limits: 20 streams that
/// were reset before they were looked at, and 1024 that we had to reset.
fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .keep_alive_timeout(HANDSHAKE_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(MAX_BUFFER_BYTES)
        .initial_connection_window_size(MAX_BUFFER_BYTES * 4);
    http
}
