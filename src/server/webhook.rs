//! The webhook's HTTP: `POST /inject`.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue,
        header::{ALLOW, CONNECTION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::post,
};

use super::{
    body::{BodyError, read_body},
    request_timeout::request_timeout,
    room::Room,
};
use crate::{
    admission::{Refusal, RefusedRequest, Reviewer},
    constants::{BODY_TIMEOUT, INJECT_PATH},
    readiness::Readiness,
};

const JSON: &str = "application/json";

struct Webhook {
    reviewer: Arc<Reviewer>,
    readiness: Arc<Readiness>,
    room: Room,
}

/// The webhook's routes. Each handler builds its own response: a middleware would cost every
/// request an allocation or two.
pub fn webhook_router(reviewer: Arc<Reviewer>, readiness: Arc<Readiness>) -> Router {
    let webhook = Webhook { reviewer, readiness, room: Room::default() };
    Router::new()
        .route(INJECT_PATH, post(inject).fallback(wrong_method))
        .fallback(wrong_path)
        .with_state(Arc::new(webhook))
}

async fn inject(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let result = webhook.review(request).await;
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

impl Webhook {
    async fn review(&self, request: Request) -> Result<Bytes, RefusedRequest> {
        check_content_type(request.headers())?;
        // When the API server has given up, a response is useless.
        let timeout = request_timeout(request.uri().query());
        let timeout = timeout.map_or(BODY_TIMEOUT, |timeout| timeout.min(BODY_TIMEOUT));
        let body = read_body(request.into_body(), timeout, &self.room).await?;
        let review = self.reviewer.read(&body.bytes)?;
        if !review.is_long() {
            let answer = self.reviewer.answer(&review)?;
            drop(review);
            drop(body);
            return self.send(answer).await;
        }
        // A body takes less memory while it waits than what is read from it.
        drop(review);
        let _turn = self.room.turn().await.ok_or(BodyError::NoRoom)?;
        let answer = self.reviewer.answer(&self.reviewer.read(&body.bytes)?)?;
        drop(body);
        self.send(answer).await
    }

    async fn send(&self, answer: Vec<u8>) -> Result<Bytes, RefusedRequest> {
        self.room.answer(answer).await.ok_or_else(|| BodyError::NoRoom.into())
    }

    fn respond(&self, result: Result<Bytes, RefusedRequest>) -> Response {
        let mut response = match result {
            Ok(answer) => ([(CONTENT_TYPE, JSON)], answer).into_response(),
            Err(request) => {
                self.reviewer.refuse(&request);
                refused(request)
            }
        };
        // Without this the API server goes on using the connection: it has no other way to learn
        // that this replica is no longer behind the Service.
        if self.readiness.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn refused(request: RefusedRequest) -> Response {
    let RefusedRequest { refusal, message } = request;
    let mut response = (refusal.status(), format!("{message}\n")).into_response();
    // A client that gets no review does not keep its slot.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if refusal == Refusal::Method {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
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
