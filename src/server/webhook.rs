//! The webhook: `POST /inject`.

use std::{error::Error, fmt, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri, Version,
        header::{ALLOW, CONNECTION, CONTENT_TYPE},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use clap::ValueEnum;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Bytes;

use super::phase::Phase;
use crate::{
    admission::{self, AdmissionRequest, Outcome},
    cluster::EventSender,
    constants::{BODY_TIMEOUT, INJECT_PATH, MAX_BODY_BYTES, MAX_DISCARDED_BYTES},
    injection::{Decision, Hook, Plan, Policy},
    telemetry::{Metrics, Refusal},
};

/// What the webhook does with a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The Pod is changed
    #[default]
    Enforce,
    /// The Pod is not changed: the decision is only logged and counted, as `would_inject`
    Audit,
}

/// What an answer depends on beside the request. It is read without a lock.
pub struct Webhook {
    policy: ArcSwap<Policy>,
    mode: Mode,
    events: Option<EventSender>,
    metrics: Arc<Metrics>,
    phase: Arc<Phase>,
}

impl Webhook {
    /// A webhook with a first policy. Notices become Events if there is somewhere to send them.
    pub fn new(
        policy: Policy,
        mode: Mode,
        events: Option<EventSender>,
        metrics: Arc<Metrics>,
        phase: Arc<Phase>,
    ) -> Arc<Self> {
        metrics.set_hook(policy.hook);
        Arc::new(Self { policy: ArcSwap::from_pointee(policy), mode, events, metrics, phase })
    }

    /// Injects another hook from now on.
    pub fn set_hook(&self, hook: Hook) {
        let policy = **self.policy.load();
        if policy.hook != hook {
            tracing::info!(from = policy.hook.as_str(), to = hook.as_str(), "the hook changes");
            self.policy.store(Arc::new(Policy { hook, ..policy }));
            self.metrics.set_hook(hook);
        }
    }

    /// From the body of a request to the body of the answer.
    fn review(&self, body: &[u8]) -> Result<Vec<u8>, RefusedRequest> {
        let started = Instant::now();
        let request = admission::read(body)
            .map_err(|error| RefusedRequest::new(Refusal::MalformedBody, error))?;
        let plan = admission::decide(&request, &self.policy.load());
        let outcome = Outcome::of(&plan.decision, self.mode == Mode::Audit);
        let answer = admission::write(&request, &plan, outcome)
            .map_err(|error| RefusedRequest::new(Refusal::Internal, error))?;
        self.metrics.count_review(&plan, outcome, started.elapsed());
        log(&request, &plan, outcome);
        if let Some(events) = &self.events
            && request.dry_run != Some(true)
        {
            send_events(events, &request, &plan);
        }
        Ok(answer)
    }
}

/// The webhook's routes.
pub fn webhook_router(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route(INJECT_PATH, post(inject).fallback(wrong_method))
        .fallback(wrong_path)
        .layer(middleware::from_fn_with_state(webhook.clone(), finish))
        .with_state(webhook)
}

async fn inject(
    State(webhook): State<Arc<Webhook>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RefusedRequest> {
    check_content_type(&headers)?;
    let body = read_body(body).await?;
    let answer = webhook.review(&body)?;
    Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
}

async fn wrong_method(method: Method) -> RefusedRequest {
    RefusedRequest::new(Refusal::Method, format_args!("{INJECT_PATH} takes POST, not {method}"))
}

async fn wrong_path(uri: Uri) -> RefusedRequest {
    let path = uri.path().escape_default().take(100).collect::<String>();
    RefusedRequest::new(Refusal::Path, format_args!("no {path} here, only POST {INJECT_PATH}"))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), RefusedRequest> {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let media_type = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    if media_type.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    let found = String::from_utf8_lossy(media_type).escape_default().take(60).collect::<String>();
    Err(RefusedRequest::new(
        Refusal::ContentType,
        format_args!("the content type is {found:?}; expected application/json"),
    ))
}

async fn read_body(body: Body) -> Result<Bytes, RefusedRequest> {
    match tokio::time::timeout(BODY_TIMEOUT, collect(body)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let limit = MAX_BODY_BYTES / 1024 / 1024;
            let message = format_args!("the body is over {limit} MiB");
            Err(RefusedRequest::new(Refusal::BodyTooLarge, message))
        }
        Ok(Err(error)) => {
            let message = format_args!("the body did not arrive: {error}");
            Err(RefusedRequest::new(Refusal::MalformedBody, message))
        }
        Err(_) => {
            let message = format_args!("the body took longer than {} s", BODY_TIMEOUT.as_secs());
            Err(RefusedRequest::new(Refusal::Timeout, message))
        }
    }
}

/// The body, up to the limit. Some of what is beyond it is read too, and thrown away: a client
/// that is still sending when the connection is closed never sees the answer.
async fn collect(mut body: Body) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let collected = Limited::new(&mut body, MAX_BODY_BYTES).collect().await;
    if collected.is_err() {
        let mut rest = Limited::new(body, MAX_DISCARDED_BYTES);
        while let Some(Ok(_)) = rest.frame().await {}
    }
    Ok(collected?.to_bytes())
}

/// A request that gets no review, and one line that says why. The API server then does what
/// the failurePolicy says.
#[derive(Clone)]
struct RefusedRequest {
    refusal: Refusal,
    message: String,
}

impl RefusedRequest {
    fn new(refusal: Refusal, message: impl fmt::Display) -> Self {
        Self { refusal, message: message.to_string() }
    }
}

impl IntoResponse for RefusedRequest {
    fn into_response(self) -> Response {
        let status = match self.refusal {
            Refusal::MalformedBody => StatusCode::BAD_REQUEST,
            Refusal::Path => StatusCode::NOT_FOUND,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = (status, format!("{}\n", self.message)).into_response();
        if self.refusal == Refusal::Method {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// What is done with every answer: a refusal is counted and logged, and a server that is about
/// to leave says so. Without that the API server would keep using the connection: it has no
/// other way to learn that this replica is no longer behind the Service.
async fn finish(State(webhook): State<Arc<Webhook>>, request: Request, next: Next) -> Response {
    let version = request.version();
    let mut response = next.run(request).await;
    if let Some(refused) = response.extensions_mut().remove::<RefusedRequest>() {
        webhook.metrics.count_refusal(refused.refusal);
        tracing::warn!(
            decision = "refuse",
            reason = refused.refusal.as_str(),
            message = refused.message,
        );
    }
    // HTTP/2 has no such header: it has GOAWAY, which the connection sends when it is shut down.
    if webhook.phase.is_draining() && version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// One line for each decision, and one for each notice.
fn log(request: &AdmissionRequest<'_>, plan: &Plan<'_>, outcome: Outcome) {
    let namespace = &*request.namespace;
    let metadata = request.object.as_ref().and_then(|pod| pod.metadata.as_ref());
    let pod = metadata.map(|metadata| metadata.display_name());
    let owner = request.object.as_ref().and_then(|pod| pod.controller());
    let owner = owner.map(tracing::field::display);
    let injection = match &plan.decision {
        Decision::Inject(injection) => Some(injection),
        Decision::Skip(_) => None,
    };
    tracing::info!(
        namespace,
        pod,
        owner,
        decision = outcome.as_str(),
        reason = plan.decision.reason().as_str(),
        delay = injection.map(|injection| injection.longest_delay().get()),
        hook = injection.map(|injection| injection.hook.as_str()),
        grace_raised_to = injection.and_then(|injection| injection.grace).map(|raise| raise.to),
        dry_run = request.dry_run.filter(|dry_run| *dry_run),
        "reviewed",
    );
    for notice in &plan.notices {
        tracing::warn!(namespace, pod, owner, notice = notice.name(), "{notice}");
    }
}

/// Warnings about a Pod that a controller creates reach no person, so they become Events on the
/// controller.
fn send_events(events: &EventSender, request: &AdmissionRequest<'_>, plan: &Plan<'_>) {
    let Some(owner) = request.object.as_ref().and_then(|pod| pod.controller()) else { return };
    for notice in &plan.notices {
        events.send(&request.namespace, owner, notice);
    }
}
