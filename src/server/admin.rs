//! The admin routes: `/live` and `/ready` for the kubelet, `/metrics` for Prometheus.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CONNECTION, CONTENT_TYPE},
    },
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};

use super::connection_metrics::ConnectionMetrics;
use crate::readiness::Readiness;

/// The admin routes. Each response ends its connection: idle clients do not lock the kubelet out.
/// `reviews` is the webhook's listener.
pub fn admin_router(
    readiness: Arc<Readiness>,
    reviews: ConnectionMetrics,
    registry: Registry,
) -> Router {
    let health = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .with_state((readiness, reviews));
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(Arc::new(registry))
        .merge(health)
        .fallback(async || (StatusCode::NOT_FOUND, "only /live, /ready and /metrics here\n"))
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "only GET here\n"))
        .layer(map_response(close))
}

async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A crowded listener stays behind the Service: without it, its clients would crowd the next one.
async fn ready(
    State((readiness, reviews)): State<(Arc<Readiness>, ConnectionMetrics)>,
) -> (StatusCode, String) {
    match readiness.check() {
        Ok(()) => {
            let crowd = reviews.is_crowded().then(|| "clients hold all connections".to_owned());
            let problems: Vec<_> = crowd.into_iter().chain(readiness.notes()).collect();
            let text = match &problems[..] {
                [] => "ready\n".to_owned(),
                problems => format!("ready, but {}\n", problems.join("; ")),
            };
            (StatusCode::OK, text)
        }
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut page = String::new();
    match encode(&mut page, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
