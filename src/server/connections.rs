//! Accepting connections, and letting them finish.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
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
pub async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    stop: CancellationToken,
    drain_timeout: Duration,
) {
    let connections = GracefulShutdown::new();
    let server = Server { tls: tls.map(TlsAcceptor::from), router, http: http_builder() };
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

fn http_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE_TIMEOUT)
        .keep_alive_timeout(HANDSHAKE_TIMEOUT);
    builder
}

#[derive(Clone)]
struct Server {
    tls: Option<TlsAcceptor>,
    router: Router,
    http: Builder<TokioExecutor>,
}

impl Server {
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

    async fn speak_http<S>(self, stream: S, http2: bool, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http = if http2 { self.http.http2_only() } else { self.http.http1_only() };
        let service = TowerToHyperService::new(self.router);
        let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}
