//! The limit: TLS, HTTP and routing with the code of apisix-prestop, and fixed responses.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use apisix_prestop::{
    constants::INJECT_PATH,
    server::{ConnectionMetrics, ListenerOptions, accept, bind},
    tls::{ServedCertificate, certified_key, server_config},
};
use axum::{Router, body::Body, http::header::CONTENT_TYPE, response::IntoResponse, routing::post};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;

use crate::Pair;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) pair: Pair,
}

/// As long as the answer to a Pod with one container.
const ANSWER: [u8; 560] = [b' '; 560];

pub(crate) fn serve(options: &Options) -> anyhow::Result<()> {
    let Pair { tls_cert, tls_key } = &options.pair;
    let pair = certified_key(&std::fs::read(tls_cert)?, &std::fs::read(tls_key)?)?;
    let tls = Arc::new(server_config(ServedCertificate::new(pair), None)?);
    // One thread, as apisix-prestop has.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = bind("--listen", options.listen)?;
        let router = Router::new().route(INJECT_PATH, post(answer));
        // Spawned, as there.
        let terms = ListenerOptions {
            tls: Some(tls),
            max_connections: usize::MAX,
            metrics: ConnectionMetrics::default(),
            stop: CancellationToken::new(),
            drain_timeout: Duration::ZERO,
        };
        let server = accept(listener, router, terms);
        Ok(tokio::spawn(server).await?)
    })
}

async fn answer(body: Body) -> impl IntoResponse {
    // To the end, as the connection could not be kept otherwise.
    let _ = body.collect().await;
    ([(CONTENT_TYPE, "application/json")], &ANSWER[..])
}
