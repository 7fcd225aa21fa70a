//! Reviews that are made to cost as much as possible: on real TLS, with the real program. Whoever
//! may create Pods can send most of them, since the API server validates a Pod only later.

use std::time::Duration;

use http_body_util::{BodyExt, Full, StreamBody, channel::Channel};
use hyper::{
    StatusCode,
    body::{Bytes, Frame},
};
use rstest::rstest;
use serde_json::Value;
use support::{
    attack::{OWNER, SIZE, annotation, body, hook, list, metadata, numbered, spec},
    program::{Certificates, EXAMPLE, assert_answered, review},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// Longer than any answer takes, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// What one attack may take beside the body itself, in KiB. The cluster tests attack a container of 64 MiB.
const MEMORY_BOUND: u64 = 24 * 1024;
#[rstest]
#[case::containers(spec(&list(r#"{"name":""}"#)), "too_large")]
#[case::containers_that_are_strings(spec(&list(r#""""#)), "")]
#[case::containers_that_are_arrays(spec(&list(r#"["a"]"#)), "")]
#[case::init_containers(body("{}", &format!(r#"{{"initContainers":{}}}"#, list(r#"{"name":""}"#))), "too_large")]
#[case::containers_that_are_a_string(spec(&format!("\"{}\"", "\\n".repeat(SIZE / 2))), "")]
#[case::name_of_a_container(spec(&format!(r#"[{{"name":"{}"}}]"#, "x".repeat(SIZE))), "too_large")]
#[case::ports(spec(&format!(r#"[{{"name":"app","ports":{}}}]"#, list(r#"{"containerPort":1}"#))), "too_large")]
#[case::words_of_a_command(hook(&format!(r#"{{"exec":{{"command":{}}}}}"#, list(r#""""#))), "too_large")]
#[case::word_of_a_command(hook(&format!(r#"{{"exec":{{"command":["sh","-c","{}"]}}}}"#, "sleep 1;".repeat(SIZE / 8))), "")]
#[case::hook_of_many_kinds(hook(&format!("{{{}}}", numbered(|i| format!(r#""k{i}":{{}}"#)))), "hook_present")]
#[case::name(metadata("name", &format!("\"{}\"", "x".repeat(SIZE))), "too_large")]
#[case::labels(metadata("labels", &format!("{{{}}}", numbered(|i| format!(r#""k{i}":"""#)))), "too_large")]
#[case::label(metadata("labels", &format!(r#"{{"apisix-prestop/inject":"{}"}}"#, "x".repeat(SIZE))), "too_large")]
#[case::owners(metadata("ownerReferences", &list(OWNER)), "too_large")]
#[case::owners_that_are_arrays(metadata("ownerReferences", &list(r#"["v1","A","b"]"#)), "")]
#[case::name_of_an_owner(metadata("ownerReferences", &format!("[{}]", OWNER.replace("web", &"\\n".repeat(SIZE / 2)))), "too_large")]
#[case::record(annotation("injected", &"a=1,".repeat(SIZE / 4)), "too_large")]
#[case::container_delays(annotation("container-delays", &numbered(|i| format!("c{i}=1"))), "too_large")]
#[case::unknown_annotations(metadata("annotations", &format!("{{{}}}", numbered(|i| format!(r#""apisix-prestop/{i}":"""#)))), "hook_missing")]
#[case::other_annotations(metadata("annotations", &format!("{{{}}}", numbered(|i| format!(r#""{i}":"""#)))), "hook_missing")]
#[case::affinity(body("{}", &format!(r#"{{"affinity":{{"nodeAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":{{"nodeSelectorTerms":{}}}}}}}}}"#, list("{}"))), "too_large")]
#[case::brackets(spec(&"[".repeat(SIZE)), "")]
#[tokio::test]
async fn a_review_costs_little_memory_whatever_is_in_it(
    #[case] body: String,
    #[case] reason: &str,
) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    assert_answered(&mut certificates.client(&server).await, None).await;
    let before = server.peak_resident();
    let length = body.len() as u64 / 1024;
    let body = Bytes::from(body);
    for _ in 0..3 {
        // A refusal ends its connection.
        let mut client = certificates.client(&server).await;
        let request = review(Full::new(body.clone()));
        let response = timeout(LIMIT, client.send_request(request)).await.unwrap().unwrap();
        let status = response.status();
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        assert!(answer.len() < 16 * 1024, "an answer of {} bytes", answer.len());
        if status == StatusCode::OK {
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(answer["response"]["allowed"], true, "{answer:#}");
            if !reason.is_empty() {
                assert_eq!(answer["response"]["auditAnnotations"]["reason"], reason, "{answer:#}");
            }
        } else {
            assert_eq!((status, reason), (StatusCode::BAD_REQUEST, ""), "{answer:?}");
        }
    }
    let taken = server.peak_resident() - before;
    // The body and, while it grows, a quarter more.
    let bound = MEMORY_BOUND + 2 * length;
    assert!(taken <= bound, "a body of {length} KiB took {taken} KiB");
    assert_answered(&mut certificates.client(&server).await, None).await;
}

#[tokio::test]
async fn an_ordinary_review_in_pieces_has_room_beside_large_bodies() {
    const MIB: usize = 1024 * 1024;
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let (mut sender, stream) = Channel::<Bytes>::new(1);
        let mut client = certificates.client(&server).await;
        let task = tokio::spawn(async move { client.send_request(review(stream)).await });
        sender.send_data(Bytes::from(vec![b' '; 7 * MIB - 1])).await.unwrap();
        held.push((sender, task));
    }
    // As Go sends it: in several TLS records.
    let (half, rest) = EXAMPLE.split_at(EXAMPLE.len() / 2);
    for _ in 0..20 {
        let pieces = [half, rest].map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())));
        let stream = futures::stream::iter(pieces.map(Ok::<_, std::io::Error>));
        let mut client = certificates.client(&server).await;
        let response = timeout(LIMIT, client.send_request(review(StreamBody::new(stream)))).await;
        assert_eq!(response.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_neither_reviews_nor_the_exit() {
    let certificates = Certificates::new();
    let flags = ["--hook=sleep", "--drain-delay=0", "--drain-timeout=1s"];
    let mut server = certificates.start(&flags).await;
    let mut client = certificates.client(&server).await;
    // From here on nobody reads stderr, and a pipe holds 64 KiB.
    for _ in 0..1000 {
        assert_answered(&mut client, None).await;
    }
    assert_eq!(server.readiness().await.0, StatusCode::OK);
    server.signal("-TERM");
    assert_eq!(server.exit().await.code(), Some(0));
}

#[rstest]
#[case::the_wrong_path("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 404")]
#[case::the_wrong_method("GET /inject HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 405")]
#[tokio::test]
async fn clients_that_get_no_review_do_not_keep_their_slots(
    #[case] request: &str,
    #[case] status: &str,
) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep", "--max-connections=8"]).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = certificates.connect(&server).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // To the end of the connection, which the server closes.
        timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(status.as_bytes()), "{:?}", String::from_utf8_lossy(&answer));
        held.push(stream);
    }
    for _ in 0..8 {
        assert_answered(&mut certificates.client(&server).await, None).await;
    }
}
