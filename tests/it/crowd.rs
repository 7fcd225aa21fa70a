//! Clients that hold as many connections as they can, in every way: a client of another address
//! has its reviews and probes answered beside them. On real TLS, with the real program.

use std::{net::Ipv4Addr, time::Duration};

use hyper::StatusCode;
use rstest::rstest;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use support::{
    attack::request,
    eventually,
    program::{Certificates, EXAMPLE, Server, assert_answered, connect_from},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

/// Longer than any limit of time in the program, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn example() -> String {
    request("10s", EXAMPLE.len()) + EXAMPLE
}

/// One series of the metrics.
async fn metric(server: &Server, series: &str) -> u64 {
    let page = server.metrics().await;
    let line = page.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// A connection of the attacker, if the server still takes one.
async fn attack(
    certificates: &Certificates,
    server: &Server,
    request: &str,
) -> Option<TlsStream<TcpStream>> {
    let mut stream = certificates.connect_from(ATTACKER, server).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    Some(stream)
}

#[rstest]
#[case::that_say_nothing(String::new())]
#[case::that_begin_a_request("POST /inject HTTP/1.1\r\nx: ".to_owned())]
#[case::that_send_no_body(request("10s", 9999))]
#[case::that_send_half_a_body(request("10s", 9999) + "{")]
#[case::that_read_no_answer(example())]
#[tokio::test]
async fn clients_that_hold_every_connection_lock_nobody_out(#[case] request: String) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep", "--max-connections=16"]).await;
    let mut kept_alive = certificates.client(&server).await;
    assert_answered(&mut kept_alive, None).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        for _ in 0..16 {
            held.extend(attack(&certificates, &server, &request).await);
        }
        assert_answered(&mut kept_alive, None).await;
        assert_answered(&mut certificates.client(&server).await, None).await;
    }
    let open = metric(&server, r#"apisix_prestop_connections{listener="webhook"}"#).await;
    assert!(open <= 16 + 1, "{open} connections are open");
    let lost = async |cause: &str| {
        let series = format!(
            r#"apisix_prestop_connections_lost_total{{listener="webhook",cause="{cause}"}}"#
        );
        metric(&server, &series).await
    };
    assert!(lost("evicted").await + lost("refused").await > 0, "some had to go");
    let (status, page) = server.readiness().await;
    assert_eq!((status, &*page), (StatusCode::OK, "ready, but clients hold all connections\n"));
}

#[tokio::test]
async fn a_log_line_tells_that_clients_hold_all_connections() {
    let certificates = Certificates::new();
    let mut server = certificates.start(&["--hook=sleep", "--max-connections=4"]).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.extend(attack(&certificates, &server, "").await);
    }
    let line = server.wait_for("clients hold all connections").await;
    assert!(line.contains(" WARN ") && line.contains("connections="), "{line}");
}

#[rstest]
#[case::that_say_nothing("")]
#[case::that_begin_a_request("GET /live HTTP/1.1\r\nx: ")]
#[case::that_read_no_answer("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")]
#[tokio::test]
async fn clients_of_the_admin_port_do_not_lock_the_kubelet_out(#[case] request: &str) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep", "--max-connections=16"]).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        for _ in 0..16 {
            let mut stream = connect_from(ATTACKER, server.admin).await.unwrap();
            let _ = stream.write_all(request.as_bytes()).await;
            held.push(stream);
        }
        assert_eq!(server.readiness().await, (StatusCode::OK, "ready\n".to_owned()));
    }
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_closed() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut stream = certificates.connect(&server).await;
    let request = example();
    // Until both ends have as much as they take.
    while timeout(Duration::from_secs(1), stream.write_all(request.as_bytes())).await.is_ok() {}
    let closed = eventually("the connection to be closed", LIMIT, async || {
        match metric(&server, r#"apisix_prestop_connections{listener="webhook"}"#).await {
            0 => Ok(()),
            open => Err(format!("{open} are open")),
        }
    });
    closed.await.unwrap();
}

#[tokio::test]
async fn few_descriptors_are_shared_between_the_listeners() {
    let certificates = Certificates::new();
    let flags = certificates.flags(&["--hook=sleep"]);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let server = Server::start_with_descriptors(128, &flags).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(connect_from(ATTACKER, server.admin).await.unwrap());
        held.push(connect_from(ATTACKER, server.webhook).await.unwrap());
    }
    assert_answered(&mut certificates.client(&server).await, None).await;
    assert_eq!(server.readiness().await.0, StatusCode::OK);
    let unaccepted = metric(
        &server,
        r#"apisix_prestop_connections_lost_total{listener="webhook",cause="not_accepted"}"#,
    );
    assert_eq!(unaccepted.await, 0, "there are descriptors for as many as are accepted");
}

#[tokio::test]
async fn a_lack_of_descriptors_closes_connections() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(connect_from(ATTACKER, server.webhook).await.unwrap());
    }
    sleep(Duration::from_millis(200)).await;
    let limit = Some(server.descriptors());
    let pid = Pid::from_raw(server.child.id().unwrap().try_into().unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    for _ in 0..3 {
        let client = timeout(LIMIT, certificates.client(&server));
        assert_answered(&mut client.await.expect("a descriptor is freed"), None).await;
    }
}

#[tokio::test]
async fn a_failed_handshake_is_counted() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut stream = connect_from(ATTACKER, server.webhook).await.unwrap();
    stream.write_all(&[0xff; 64]).await.unwrap();
    let _ = timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await.unwrap();
    let failed =
        r#"apisix_prestop_connections_lost_total{listener="webhook",cause="handshake_failed"}"#;
    assert_eq!(metric(&server, failed).await, 1);
}
