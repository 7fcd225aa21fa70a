//! Accepting connections, and letting them finish.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
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
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::pending_connections::{PendingConnection, PendingConnections};
use crate::constants::{
    FIRST_REQUEST_TIMEOUT, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_BUFFER_BYTES, MAX_HEADER_BYTES,
};

/// How long to wait after an error of `accept`, mostly a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long an evicted connection may take to close.
const EVICTION_TIMEOUT: Duration = Duration::from_millis(100);

/// How a listener treats its connections.
#[derive(Clone)]
pub struct ListenerOptions {
    /// The configuration of TLS; `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// When to stop.
    pub stop: CancellationToken,
    /// How long open connections may then take to finish.
    pub drain_timeout: Duration,
}

/// Accepts connections until `stop` is cancelled. Then closes the listener, lets each open
/// connection finish its request, and gives up on them after the drain timeout.
pub async fn accept(listener: TcpListener, router: Router, options: ListenerOptions) {
    let ListenerOptions { tls, max_connections, stop, drain_timeout } = options;
    let server = Server { tls: tls.map(TlsAcceptor::from), router, stop: stop.clone() };
    let (connections, pending) = (TaskTracker::new(), Arc::new(PendingConnections::default()));
    let slots = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match free_slot(&slots, &pending).await {
                Some(slot) => {
                    let connection = server.clone().serve(stream, pending.add());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                // Closed: an error now serves the client better than a wait.
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

/// A free slot, or the slot of the oldest pending connection.
async fn free_slot(
    slots: &Arc<Semaphore>,
    pending: &PendingConnections,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return Some(slot);
    }
    if !pending.evict_oldest() {
        return None;
    }
    // It closes at once, unless its first request has just arrived.
    timeout(EVICTION_TIMEOUT, slots.clone().acquire_owned()).await.ok()?.ok()
}

#[derive(Clone)]
struct Server {
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
}

impl Server {
    async fn serve(self, stream: TcpStream, pending: PendingConnection) {
        // Responses are small, and a client waits for each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, pending).await;
        };
        let accepted = tokio::select! {
            accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => accepted,
            () = pending.evicted() => return,
            () = self.stop.cancelled() => return,
        };
        match accepted {
            Ok(Ok(stream)) => {
                self.speak_http(stream, pending).await;
            }
            // At debug level: TCP probes and port scans look like this.
            Ok(Err(error)) => tracing::debug!(%error, "the TLS handshake failed"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
    }

    async fn speak_http<I>(self, stream: I, pending: PendingConnection)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, stop, .. } = self;
        let service = TowerToHyperService::new(router);
        let first_request = Arc::new(Notify::new());
        let service = {
            let first_request = first_request.clone();
            service_fn(move |request| {
                first_request.notify_one();
                service.call(request)
            })
        };
        let connection = pin!(http1_builder().serve_connection(TokioIo::new(stream), service));
        drive(connection, pending, &first_request, &stop).await;
    }
}

/// From the handshake to the end: waits for the first request, serves until the server stops,
/// and finishes the request that is under way. Idle connections are closed only then: the client
/// may just be sending the next request, which it would have to send again.
async fn drive<C: GracefulConnection<Error = hyper::Error>>(
    mut connection: Pin<&mut C>,
    pending: PendingConnection,
    first_request: &Notify,
    stop: &CancellationToken,
) {
    let result = 'ended: {
        tokio::select! {
            biased;
            result = connection.as_mut() => break 'ended result,
            () = first_request.notified() => {}
            () = stop.cancelled() => {}
            () = pending.evicted() => return,
            () = sleep(FIRST_REQUEST_TIMEOUT) => return,
        }
        drop(pending);
        tokio::select! {
            biased;
            result = connection.as_mut() => break 'ended result,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
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
