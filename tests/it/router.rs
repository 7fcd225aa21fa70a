//! The real router, without a socket: what goes in, and what comes out.

use apisix_prestop::{
    admission::Mode,
    constants::{MAX_BODY_BYTES, MAX_WAITING_ANSWERS},
    injection::{Hook, Policy},
};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header::CONNECTION},
};
use futures::future::{join, join_all};
use rstest::rstest;
use serde_json::{Value, json};
use support::{
    attack::long_answer,
    plan::{applied, patch_in},
    program::EXAMPLE,
    router::{Server, post, text},
};
use tower::ServiceExt;

fn server() -> Server {
    Server::new(Policy::default(), Mode::Enforce)
}

/// The patch in a response, as JSON.
fn patch(response: &Value) -> Value {
    let patch = patch_in(response).unwrap_or_else(|| panic!("no patch in {response:#}"));
    serde_json::to_value(patch).unwrap()
}

fn example(request: Value) -> String {
    let mut review: Value = serde_json::from_str(EXAMPLE).unwrap();
    json_patch::merge(&mut review["request"], &request);
    review.to_string()
}

#[tokio::test]
async fn the_example_gets_its_patch() {
    let server = server();
    let response = server.review(EXAMPLE).await;
    assert_eq!(response["uid"], "0df28fbd-5f5f-11e8-bc74-36e6bb280816");
    assert_eq!(response["allowed"], true);
    assert_eq!(response["patchType"], "JSONPatch");
    assert_eq!(response["warnings"], Value::Null, "no warnings without a fault");
    assert_eq!(
        response["auditAnnotations"],
        json!({"decision": "inject", "reason": "hook_missing"})
    );
    assert_eq!(
        patch(&response),
        json!([
            {"op": "add", "path": "/spec/containers/0/lifecycle",
             "value": {"preStop": {"sleep": {"seconds": 25}}}},
            {"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": 35},
            {"op": "add", "path": "/metadata/annotations/apisix-prestop~1injected",
             "value": "web=25s; grace 30s→35s"},
        ])
    );
    server.assert_counted("inject", "hook_missing").await;
}

#[tokio::test]
async fn the_patch_applies_to_the_object_that_came_in() {
    let pod = serde_json::from_str::<Value>(EXAMPLE).unwrap()["request"]["object"].take();
    let patch = patch_in(&server().review(EXAMPLE).await).unwrap();
    let typed: k8s_openapi::api::core::v1::Pod =
        serde_json::from_value(applied(&patch, &pod)).unwrap();
    let spec = typed.spec.unwrap();
    assert_eq!(spec.termination_grace_period_seconds, Some(35));
    let sleep = spec.containers[0].lifecycle.clone().unwrap().pre_stop.unwrap().sleep.unwrap();
    assert_eq!(sleep.seconds, 25);
}

#[tokio::test]
async fn in_observe_mode_nothing_changes_and_everything_is_decided() {
    let server = Server::new(Policy::default(), Mode::Observe);
    let bad = json!({"object": {"metadata": {"annotations": {"apisix-prestop/delay": "5 min"}}}});
    let response = server.review(&example(bad)).await;
    assert_eq!(response["allowed"], true);
    assert_eq!((&response["patch"], &response["patchType"]), (&Value::Null, &Value::Null));
    assert_eq!(response["auditAnnotations"]["decision"], "would_inject");
    assert_eq!(response["warnings"].as_array().map(Vec::len), Some(1), "warnings are given");
    server.assert_counted("would_inject", "hook_missing").await;
}

#[tokio::test]
async fn a_dry_run_gets_the_same_answer() {
    let server = server();
    let dry = server.review(&example(json!({"dryRun": true}))).await;
    assert_eq!(dry, server.review(EXAMPLE).await);
}

#[tokio::test]
async fn a_change_of_the_hook_holds_from_the_next_request_on() {
    let server = server();
    server.reviewer.update_policy(|policy| Policy { hook: Hook::Exec, ..*policy });
    let command =
        patch(&server.review(EXAMPLE).await)[0]["value"]["preStop"]["exec"]["command"].take();
    assert_eq!(command, json!(["/bin/sh", "-c", "sleep 25"]));
    let (_, page) = server.get_admin("/metrics").await;
    assert!(page.contains("apisix_prestop_hook{hook=\"exec\"} 1\n"), "{page}");
    assert!(page.contains("apisix_prestop_hook{hook=\"sleep\"} 0\n"), "{page}");
}

#[rstest]
#[case::not_json(
    post("hello"),
    400,
    "malformed_body",
    "the body is not JSON: expected value at line 1 column 1"
)]
#[case::empty(
    post(""),
    400,
    "malformed_body",
    "the body is not JSON: EOF while parsing a value at line 1 column 0"
)]
#[case::not_a_review(
    post("{}"),
    400,
    "malformed_body",
    "the body is not an AdmissionReview: missing field `apiVersion` at line 1 column 2"
)]
#[case::old_review(
    post(r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#),
    400,
    "malformed_body",
    "the body is admission.k8s.io/v1beta1 AdmissionReview; expected admission.k8s.io/v1 AdmissionReview"
)]
#[case::get(Request::get("/inject").body(Body::empty()).unwrap(), 405, "method", "/inject takes POST, not GET")]
#[case::put(Request::put("/inject").body(Body::empty()).unwrap(), 405, "method", "/inject takes POST, not PUT")]
#[case::other_path(Request::post("/mutate").body(Body::empty()).unwrap(), 404, "path", "no /mutate here, only POST /inject")]
#[case::form(Request::post("/inject").header("content-type", "text/plain").body(Body::from("{}")).unwrap(), 415, "content_type",
    "the content type is \"text/plain\"; expected application/json")]
#[case::no_content_type(Request::post("/inject").body(Body::from("{}")).unwrap(), 415, "content_type",
    "the content type is \"\"; expected application/json")]
#[case::too_large(post(vec![b' '; MAX_BODY_BYTES + 1]), 413, "body_too_large", "the body is over 7 MiB")]
#[tokio::test]
async fn bad_input_gets_one_line_and_the_server_goes_on(
    #[case] request: Request<Body>,
    #[case] status: u16,
    #[case] reason: &str,
    #[case] line: &str,
) {
    let server = server();
    let response = server.send(request).await;
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers().contains_key("allow"), status == 405);
    assert_eq!(text(response).await, format!("{line}\n"));
    server.assert_counted("refuse", reason).await;
    assert_eq!(server.review(EXAMPLE).await["allowed"], true, "the next request is answered");
}

#[rstest]
#[case::with_a_parameter("application/json; charset=utf-8")]
#[case::in_capitals("Application/JSON")]
#[tokio::test]
async fn the_content_type_is_read_as_http_has_it(#[case] content_type: &str) {
    let request = Request::post("/inject").header("content-type", content_type);
    let response = server().send(request.body(Body::from(EXAMPLE)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_read() {
    let mut body = EXAMPLE.as_bytes().to_vec();
    body.resize(MAX_BODY_BYTES, b' ');
    assert_eq!(server().send(post(body)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_ordinary_review_comes_between_long_ones() {
    let (server, long) = (server(), long_answer());
    let long_ones = join_all((0..40).map(|_| server.send(post(long.clone()))));
    let ordinary = async {
        server.review(EXAMPLE).await;
        server.get_admin("/metrics").await.1
    };
    let (long_ones, metrics) = join(long_ones, ordinary).await;
    let injected = "apisix_prestop_reviews_total{outcome=\"inject\",reason=\"hook_missing\"} ";
    let counted = metrics.lines().find_map(|line| line.strip_prefix(injected)).unwrap();
    assert!(
        counted.parse::<u32>().unwrap() <= 3,
        "{counted} were answered before the ordinary one"
    );
    assert!(long_ones.iter().all(|response| response.status() == StatusCode::OK));
}

#[tokio::test]
async fn more_long_answers_than_can_wait_are_refused() {
    let (server, long) = (server(), long_answer());
    let all = join_all((0..400).map(|_| server.send(post(long.clone())))).await;
    let refused = all.iter().filter(|it| it.status() == StatusCode::SERVICE_UNAVAILABLE).count();
    let answered = all.iter().filter(|it| it.status() == StatusCode::OK).count();
    assert_eq!(refused + answered, 400);
    assert!(refused >= 400 - 2 * MAX_WAITING_ANSWERS, "{answered} were answered");
    assert_eq!(server.review(EXAMPLE).await["allowed"], true);
}

#[tokio::test]
async fn the_timeout_that_the_api_server_appends_does_not_matter() {
    let request = Request::post("/inject?timeout=2s").header("content-type", "application/json");
    let response = server().send(request.body(Body::from(EXAMPLE)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_draining_server_answers_and_asks_to_be_asked_no_more() {
    let server = server();
    server.readiness.serve();
    let request = |method: Method| {
        let mut request = post(EXAMPLE);
        *request.method_mut() = method;
        request
    };
    let before = server.send(request(Method::POST)).await;
    assert_eq!(before.headers().get(CONNECTION), None, "kept alive while it serves");
    server.readiness.drain();
    for method in [Method::POST, Method::GET] {
        let after = server.send(request(method)).await;
        let header = after.headers().get(CONNECTION).map(|value| value.to_str().unwrap());
        assert_eq!(header, Some("close"));
    }
    assert_eq!(server.review(EXAMPLE).await["allowed"], true);
}

#[rstest]
#[case::other_path(Method::GET, "/", 404, "only /live, /ready and /metrics here\n")]
#[case::not_a_get(Method::POST, "/ready", 405, "only GET here\n")]
#[tokio::test]
async fn the_admin_port_says_what_it_has(
    #[case] method: Method,
    #[case] path: &str,
    #[case] status: u16,
    #[case] line: &str,
) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = server().admin.oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(text(response).await, line);
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let server = server();
    let starting = (StatusCode::SERVICE_UNAVAILABLE, "not ready: starting\n".to_owned());
    assert_eq!(server.get_admin("/ready").await, starting);
    server.readiness.serve();
    assert_eq!(server.get_admin("/ready").await, (StatusCode::OK, "ready\n".to_owned()));
    server.readiness.drain();
    let draining = (StatusCode::SERVICE_UNAVAILABLE, "not ready: draining\n".to_owned());
    assert_eq!(server.get_admin("/ready").await, draining);
    server.readiness.serve();
    assert_eq!(server.get_admin("/ready").await, draining, "there is no way back");
    assert_eq!(server.get_admin("/live").await, (StatusCode::OK, "live\n".to_owned()));
}
