//! Accepting connections, and letting them finish.

use std::{error::Error, sync::Arc, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulConnection, GracefulShutdown, Watcher},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::constants::{HANDSHAKE_TIMEOUT, IDLE_TIMEOUT};

/// How long to wait after an error of `accept`, which is mostly a lack of descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts connections until `stop`, then closes the listener, lets each open connection finish
/// its request, and gives up on them after `drain_timeout`. Without `tls` it is plain HTTP.
pub async fn accept<S, B>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    service: S,
    stop: CancellationToken,
    drain_timeout: Duration,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let server =
        Server { tls: tls.map(TlsAcceptor::from), service, http1: http1(), http2: http2() };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(server.clone().serve(stream, connections.watcher()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    let open = connections.count();
    if timeout(drain_timeout, connections.shutdown()).await.is_err() {
        tracing::warn!(open, "the drain timeout is over; closing the connections that are left");
    }
}

fn http1() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    http
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .keep_alive_timeout(HANDSHAKE_TIMEOUT);
    http
}

#[derive(Clone)]
struct Server<S> {
    tls: Option<TlsAcceptor>,
    service: S,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl<S, B> Server<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        // Answers are small and somebody waits for each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = self.tls.clone() else {
            return self.speak_http(stream, false, watcher).await;
        };
        match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.speak_http(stream, http2, watcher).await;
            }
            // At debug level: a TCP probe or a port scan looks like this.
            Ok(Err(error)) => tracing::debug!(%error, "the TLS handshake failed"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
    }

    async fn speak_http<I>(self, stream: I, http2: bool, watcher: Watcher)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        if http2 {
            watch(self.http2.serve_connection(stream, self.service), watcher).await;
        } else {
            watch(self.http1.serve_connection(stream, self.service), watcher).await;
        }
    }
}

async fn watch<C: GracefulConnection<Error = hyper::Error>>(connection: C, watcher: Watcher) {
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended badly");
    }
}
