//! What clients may take: memory, connections and time are bounded, and a review is answered
//! beside them. On real TLS, with the real program.

use std::time::Duration;

use http_body_util::Full;
use hyper::{StatusCode, body::Bytes};
use rstest::rstest;
use support::{
    attack::request,
    eventually,
    program::{Certificates, EXAMPLE, Server, assert_answered, review},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

/// Longer than any limit of time in the program, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How much more memory a flood may take, in KiB. Half of the limit of the chart's
/// container is 64 MiB.
const MEMORY_BOUND: u64 = 32 * 1024;

async fn open(server: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.webhook)).await.unwrap()
}

/// Waits until no more descriptors are open than `before`, and a few.
async fn assert_descriptors_come_back(server: &Server, before: u64) {
    let come_back = eventually("descriptors to be closed", LIMIT, async || {
        let now = server.descriptors();
        if now <= before + 5 {
            Ok(())
        } else {
            Err(format!("{now} are open; {before} were before"))
        }
    });
    come_back.await.unwrap();
}

#[rstest]
#[case::that_say_nothing(b"")]
#[case::in_the_middle_of_a_handshake(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")]
#[case::that_send_garbage(&[0xff; 2048])]
#[tokio::test]
async fn two_thousand_connections_lock_nobody_out(#[case] bytes: &[u8]) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep", "--max-connections=100"]).await;
    let mut kept_alive = certificates.client(&server).await;
    assert_answered(&mut kept_alive, None).await;
    let (memory, descriptors) = (server.resident(), server.descriptors());

    let mut flood = Vec::new();
    for _ in 0..2000 {
        let mut stream = open(&server).await;
        // It may be closed already.
        let _ = stream.write_all(bytes).await;
        flood.push(stream);
    }
    assert_answered(&mut kept_alive, None).await;
    assert_answered(&mut certificates.client(&server).await, None).await;
    let (resident, opened) = (server.resident(), server.descriptors());
    assert!(opened <= 100 + descriptors + 5, "{opened} descriptors are open");
    assert!(resident <= memory + MEMORY_BOUND, "{memory} KiB before, {resident} KiB in the flood");

    drop(flood);
    assert_descriptors_come_back(&server, descriptors).await;
    assert_answered(&mut kept_alive, None).await;
}

#[tokio::test]
async fn where_all_are_at_work_another_is_turned_away_at_once() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep", "--max-connections=2"]).await;
    let mut clients = [certificates.client(&server).await, certificates.client(&server).await];
    for client in &mut clients {
        assert_answered(client, None).await;
    }
    let mut third = open(&server).await;
    let end = timeout(LIMIT, third.read_u8()).await.expect("closed, not left to wait");
    assert!(end.is_err(), "nothing is sent to it");
    for client in &mut clients {
        assert_answered(client, None).await;
    }
}

#[rstest]
#[case::nothing("", 0)]
#[case::a_header_byte_by_byte("POST /inject HTTP/1.1\r\nx: ", 1)]
#[tokio::test]
async fn a_connection_without_a_request_is_closed(#[case] first: &str, #[case] drip: usize) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut slow = certificates.connect(&server).await;
    slow.write_all(first.as_bytes()).await.unwrap();
    let closed = timeout(LIMIT, async {
        let mut byte = [0];
        loop {
            tokio::select! {
                read = slow.read(&mut byte) => break assert!(matches!(read, Ok(0) | Err(_)), "{read:?}"),
                () = sleep(Duration::from_millis(100)) => {
                    let _ = slow.write_all(&b"x"[..drip]).await;
                }
            }
        }
    });
    closed.await.expect("the program should have closed it");
    assert_answered(&mut certificates.client(&server).await, None).await;
}

/// A request that announces a body of `length` bytes.
async fn announce(
    certificates: &Certificates,
    server: &Server,
    timeout: &str,
    length: usize,
) -> TlsStream<TcpStream> {
    let mut stream = certificates.connect(server).await;
    stream.write_all(request(timeout, length).as_bytes()).await.unwrap();
    stream
}

async fn status_line(stream: &mut TlsStream<TcpStream>) -> String {
    let mut line = Vec::new();
    timeout(LIMIT, async {
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await.unwrap());
        }
    })
    .await
    .expect("an answer");
    String::from_utf8(line).unwrap()
}

#[tokio::test]
async fn a_body_is_waited_for_as_long_as_the_client_waits() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut slow = announce(&certificates, &server, "500ms", EXAMPLE.len()).await;
    slow.write_all(&EXAMPLE.as_bytes()[..100]).await.unwrap();
    assert_eq!(status_line(&mut slow).await, "HTTP/1.1 408 Request Timeout\r\n");
}

#[tokio::test]
async fn large_bodies_that_never_end_take_bounded_memory_and_make_room() {
    const MIB: usize = 1024 * 1024;
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let memory = server.resident();
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut stream = announce(&certificates, &server, "30s", 7 * MIB).await;
        // It may have to make room before all is sent.
        let _ = timeout(LIMIT, stream.write_all(&vec![b' '; 6 * MIB])).await.unwrap();
        held.push(stream);
    }
    let resident = server.resident();
    assert!(resident <= memory + MEMORY_BOUND, "{memory} KiB before, {resident} KiB now");
    assert_answered(&mut certificates.client(&server).await, None).await;

    let mut body = EXAMPLE.as_bytes().to_vec();
    body.resize(6 * MIB, b' ');
    let mut client = certificates.client(&server).await;
    let request = review(Full::new(Bytes::from(body)));
    let response = timeout(LIMIT, client.send_request(request)).await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK, "a large body that is sent at once has room");

    // One of those that made room for another.
    let first = &mut held[0];
    assert_eq!(status_line(first).await, "HTTP/1.1 503 Service Unavailable\r\n");
    let mut rest = String::new();
    timeout(LIMIT, first.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert!(
        rest.ends_with("\r\n\r\nthere are too many large bodies or long answers at once\n"),
        "{rest}"
    );
    assert!(!rest.contains("retry-after"), "{rest}");
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut stream = certificates.connect(&server).await;
    stream.write_all(b"POST /inject HTTP/1.1\r\nx: ").await.unwrap();
    stream.write_all(&[b'x'; 20 * 1024]).await.unwrap();
    let answer = status_line(&mut stream).await;
    assert_eq!(answer, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
    assert_answered(&mut certificates.client(&server).await, None).await;
}
