//! What the kubelet and Prometheus ask for: `/live`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use super::phase::Phase;
use crate::telemetry::Metrics;

/// The admin routes.
pub fn admin_router(phase: Arc<Phase>, metrics: Arc<Metrics>) -> Router {
    let health = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .with_state(phase);
    Router::new()
        .route("/metrics", get(page))
        .with_state(metrics)
        .merge(health)
        .fallback(async || (StatusCode::NOT_FOUND, "only /live, /ready and /metrics here\n"))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "only GET here\n"))
}

async fn ready(State(phase): State<Arc<Phase>>) -> (StatusCode, String) {
    match phase.readiness() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn page(State(metrics): State<Arc<Metrics>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.page() {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
