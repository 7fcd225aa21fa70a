//! The webhook: `POST /inject`.

use std::{fmt, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ALLOW, CONNECTION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use clap::ValueEnum;

use super::{
    body::{BodyError, Room, read_body},
    patience::client_timeout,
    phase::Phase,
};
use crate::{
    admission::{self, AdmissionRequest, Outcome},
    cluster::EventSender,
    constants::{BODY_TIMEOUT, INJECT_PATH},
    injection::{Decision, Hook, Plan, Policy},
    telemetry::{Metrics, Refusal},
};

const JSON: &str = "application/json";

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
    room: Room,
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
        let (policy, room) = (ArcSwap::from_pointee(policy), Room::default());
        Arc::new(Self { policy, mode, events, metrics, phase, room })
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

    /// Reviews what a request brings.
    async fn inject(&self, request: Request) -> Result<Vec<u8>, RefusedRequest> {
        check_content_type(request.headers())?;
        // Once the API server has given up, nobody waits for the answer any more.
        let patience = client_timeout(request.uri().query());
        let limit = patience.map_or(BODY_TIMEOUT, |patience| patience.min(BODY_TIMEOUT));
        let body = read_body(request.into_body(), limit, &self.room).await?;
        self.review(&body.bytes)
    }

    /// The response to a request. A refusal is counted and logged.
    fn respond(&self, result: Result<Vec<u8>, RefusedRequest>) -> Response {
        let mut response = match result {
            Ok(answer) => ([(CONTENT_TYPE, JSON)], answer).into_response(),
            Err(refused) => {
                self.metrics.count_refusal(refused.refusal);
                tracing::warn!(
                    decision = "refuse",
                    reason = refused.refusal.as_str(),
                    message = refused.message,
                );
                refused.into_response()
            }
        };
        // Without this the API server would go on using the connection: it has no other way to
        // learn that this replica is no longer behind the Service.
        if self.phase.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
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

/// The webhook's routes. What is done with every answer is a function and not a middleware,
/// which would cost each request an allocation or two.
pub fn webhook_router(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route(INJECT_PATH, post(inject).fallback(wrong_method))
        .fallback(wrong_path)
        .with_state(webhook)
}

async fn inject(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let result = webhook.inject(request).await;
    webhook.respond(result)
}

async fn wrong_method(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let method = request.method();
    let message = format_args!("{INJECT_PATH} takes POST, not {method}");
    webhook.respond(Err(RefusedRequest::new(Refusal::Method, message)))
}

async fn wrong_path(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let path = request.uri().path().escape_default().take(100).collect::<String>();
    let message = format_args!("no {path} here, only POST {INJECT_PATH}");
    webhook.respond(Err(RefusedRequest::new(Refusal::Path, message)))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), RefusedRequest> {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let media_type = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    if media_type.eq_ignore_ascii_case(JSON.as_bytes()) {
        return Ok(());
    }
    let found = String::from_utf8_lossy(media_type).escape_default().take(60).collect::<String>();
    Err(RefusedRequest::new(
        Refusal::ContentType,
        format_args!("the content type is {found:?}; expected {JSON}"),
    ))
}

/// A request that gets no review, and one line that says why. The API server then does what
/// the failurePolicy says.
struct RefusedRequest {
    refusal: Refusal,
    message: String,
}

impl RefusedRequest {
    fn new(refusal: Refusal, message: impl fmt::Display) -> Self {
        Self { refusal, message: message.to_string() }
    }
}

impl From<BodyError> for RefusedRequest {
    fn from(error: BodyError) -> Self {
        let refusal = match error {
            BodyError::TooLarge => Refusal::BodyTooLarge,
            BodyError::Broken(_) => Refusal::MalformedBody,
            BodyError::TooSlow(_) => Refusal::Timeout,
            BodyError::NoRoom => Refusal::Overloaded,
        };
        Self::new(refusal, error)
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
            // Without Retry-After: the API server would wait, and ask this replica again.
            Refusal::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = (status, format!("{}\n", self.message)).into_response();
        if self.refusal == Refusal::Method {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
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
