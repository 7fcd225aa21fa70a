//! The routers of the webhook, without a socket.

use std::sync::Arc;

use apisix_prestop::{
    admission::{Mode, ReviewLog, ReviewMetrics, Reviewer},
    injection::Policy,
    readiness::Readiness,
    server::{ConnectionMetrics, admin_router, webhook_router},
    telemetry,
    upstreams::KnownTargets,
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    response::Response,
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A server without its sockets.
pub struct Server {
    pub reviewer: Arc<Reviewer>,
    pub readiness: Arc<Readiness>,
    pub router: Router,
    pub admin: Router,
}

impl Server {
    pub fn new(policy: Policy, mode: Mode) -> Self {
        Self::with_targets(policy, mode, None)
    }

    /// A server that knows what sends requests to Pods.
    pub fn with_targets(policy: Policy, mode: Mode, targets: Option<KnownTargets>) -> Self {
        let (mut registry, readiness) = (telemetry::registry(), Arc::new(Readiness::default()));
        let metrics = ReviewMetrics::register(&mut registry);
        let observers = vec![Box::new(ReviewLog::default()) as _, Box::new(metrics) as _];
        let mut reviewer = Reviewer::new(policy, mode, observers);
        if let Some(targets) = targets {
            reviewer = reviewer.with_targets(Arc::new(Arc::new(targets).into()));
        }
        let reviewer = Arc::new(reviewer);
        let router = webhook_router(reviewer.clone(), readiness.clone());
        let admin = admin_router(readiness.clone(), ConnectionMetrics::default(), registry);
        Self { reviewer, readiness, router, admin }
    }

    pub async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts a review and returns the `response` of the answer.
    pub async fn review(&self, review: &str) -> Value {
        let response = self.send(post(review.to_owned())).await;
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        answer["response"].clone()
    }

    pub async fn get_admin(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.admin.clone().oneshot(request).await.unwrap();
        (response.status(), text(response).await)
    }

    pub async fn assert_counted(&self, outcome: &str, reason: &str) {
        let (_, page) = self.get_admin("/metrics").await;
        let line = format!(
            "apisix_prestop_reviews_total{{outcome=\"{outcome}\",reason=\"{reason}\"}} 1\n"
        );
        assert!(page.contains(&line), "expected {line} in\n{page}");
    }

    /// The names of the notices that were counted, each as often as it was.
    pub async fn notices_counted(&self) -> Vec<String> {
        let (_, page) = self.get_admin("/metrics").await;
        let notices = page.lines().filter_map(|line| {
            let series = line.strip_prefix("apisix_prestop_notices_total{notice=\"")?;
            let (name, count) = series.split_once("\"} ")?;
            Some(std::iter::repeat_n(name.to_owned(), count.parse().unwrap()))
        });
        notices.flatten().collect()
    }
}

/// A review as the API server sends it.
pub fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/inject").header("content-type", "application/json").body(body.into()).unwrap()
}

pub async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
