//! What the kubelet and Prometheus ask for: `/live`, `/ready` and `/metrics`.

use std::sync::Arc;

use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
};

use super::phase::Phase;
use crate::telemetry::Metrics;

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin answers depend on.
pub struct Admin {
    phase: Arc<Phase>,
    metrics: Arc<Metrics>,
}

impl Admin {
    /// The admin part of a server.
    pub fn new(phase: Arc<Phase>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { phase, metrics })
    }

    /// Answers a request, whatever it is. A body is not looked at.
    pub fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET here\n".to_owned());
        }
        match path {
            "/live" => text(StatusCode::OK, "live\n".to_owned()),
            "/ready" => match self.phase.readiness() {
                Ok(()) => text(StatusCode::OK, "ready\n".to_owned()),
                Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
            },
            "/metrics" => match self.metrics.page() {
                Ok(page) => typed(OPEN_METRICS, page),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            _ => text(StatusCode::NOT_FOUND, "only /live, /ready and /metrics here\n".to_owned()),
        }
    }
}

fn text(status: StatusCode, line: String) -> Response<Full<Bytes>> {
    let mut response = typed(TEXT, line);
    *response.status_mut() = status;
    response
}

fn typed(content_type: &'static str, content: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(content));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
