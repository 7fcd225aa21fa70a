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

use super::newcomers::{Newcomer, Newcomers};
use crate::constants::{
    FIRST_REQUEST_TIMEOUT, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_BUFFER_BYTES, MAX_HEADER_BYTES,
};

/// How long to wait after an error of `accept`, which is mostly a lack of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long a newcomer that has to go may take for it.
const EVICTION_TIMEOUT: Duration = Duration::from_millis(100);

/// What a listener does with its connections.
#[derive(Clone)]
pub struct Terms {
    /// TLS; without it, plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// How many connections may be open.
    pub max_connections: usize,
    /// When to stop.
    pub stop: CancellationToken,
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
            () = stop.cancelled() => break,
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
    stop: CancellationToken,
}

impl Server {
    async fn serve(self, stream: TcpStream, newcomer: Newcomer) {
        // Answers are small and somebody waits for each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, newcomer).await;
        };
        let accepted = tokio::select! {
            accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => accepted,
            () = newcomer.evicted() => return,
            () = self.stop.cancelled() => return,
        };
        match accepted {
            Ok(Ok(stream)) => {
                self.speak_http(stream, newcomer).await;
            }
            // At debug level: a TCP probe or a port scan looks like this.
            Ok(Err(error)) => tracing::debug!(%error, "the TLS handshake failed"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
    }

    async fn speak_http<I>(self, stream: I, newcomer: Newcomer)
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
        drive(connection, newcomer, &first_request, &stop).await;
    }
}

/// From the handshake to the end: waits for the first request, serves until the server stops,
/// and finishes the request that is under way. Idle connections are closed only then: the client
/// may just be sending the next request, which it would have to send again.
async fn drive<C: GracefulConnection<Error = hyper::Error>>(
    mut connection: Pin<&mut C>,
    newcomer: Newcomer,
    first_request: &Notify,
    stop: &CancellationToken,
) {
    let result = 'ended: {
        tokio::select! {
            biased;
            result = connection.as_mut() => break 'ended result,
            () = first_request.notified() => {}
            () = stop.cancelled() => {}
            () = newcomer.evicted() => return,
            () = sleep(FIRST_REQUEST_TIMEOUT) => return,
        }
        drop(newcomer);
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

/// What is beyond the header's limit is answered with 431 and closed.
fn http1_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_header_size(MAX_HEADER_BYTES as usize)
        .max_buf_size(MAX_BUFFER_BYTES as usize);
    http
}
