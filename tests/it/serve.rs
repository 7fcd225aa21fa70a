//! The real program, over real TLS and with real signals, on loopback.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use http_body_util::{StreamBody, channel::Channel};
use hyper::{
    StatusCode,
    body::{Bytes, Frame},
};
use rstest::rstest;
use support::{
    program::{Certificates, EXAMPLE, LIMIT, Server, assert_answered, http1_client, review},
    program_path,
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

#[tokio::test]
async fn a_first_try_without_flags_works_as_it_says() {
    let mut server = Server::start(&[]).await;
    let curl = server.wait_for("curl").await;
    for said in [
        "a self-signed certificate that no API server trusts",
        "no API server to ask, so it means exec",
    ] {
        assert!(server.seen.contains(said), "expected {said:?} in\n{}", server.seen);
    }
    let output = tokio::process::Command::new("sh")
        .args(["-c", &curl])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        concat!(
            r#"[{"op":"add","path":"/spec/containers/0/lifecycle","value":"#,
            r#"{"preStop":{"exec":{"command":["/bin/sh","-c","sleep 25"]}}}},"#,
            r#"{"op":"add","path":"/spec/terminationGracePeriodSeconds","value":35},"#,
            r#"{"op":"add","path":"/metadata/annotations/apisix-prestop~1injected","#,
            r#""value":"web=25s; grace 30s→35s"}]"#,
        ),
        "this is what the line shows: {curl}"
    );
    let line = server.wait_for(" reviewed ").await;
    for field in [
        "namespace=\"shop\"",
        "owner=ReplicaSet/web-6c54bd5869",
        "decision=\"inject\"",
        "reason=\"hook_missing\"",
        "delay=25",
        "grace_raised_to=35",
    ] {
        assert!(line.contains(field), "expected {field} in {line}");
    }
}

#[test]
fn the_log_can_be_json() {
    let output = Command::new("timeout")
        .args(["--foreground", "--preserve-status", "--signal=TERM", "2"])
        .arg(program_path())
        .args(["serve", "--hook=exec"])
        .args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--drain-delay=0"])
        .args(["--drain-timeout=1s", "--log-format=json", "--events=false", "--upstreams=false"])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages[1..], ["serving", "draining", "drained"], "{log}");
    assert_eq!(lines[1]["hook"], "exec", "fields are members of the object: {log}");
}

#[tokio::test]
async fn a_connection_is_kept_alive() {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let mut client = certificates.client(&server).await;
    for _ in 0..3 {
        assert_answered(&mut client, None).await;
    }
}

#[rstest]
#[case::only_http1(&[&b"http/1.1"[..]], true)]
#[case::prefers_http2(&[&b"h2"[..], b"http/1.1"], true)]
#[case::only_http2(&[&b"h2"[..]], false)]
#[tokio::test]
async fn http1_is_the_only_protocol(#[case] offered: &[&[u8]], #[case] is_served: bool) {
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    let stream = certificates.try_connect(&server, offered).await;
    assert_eq!(stream.is_ok(), is_served, "a client that offers {offered:?} got {stream:?}");
    if let Ok(stream) = stream {
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[tokio::test]
async fn garbage_on_the_wire_does_not_stop_the_server() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let certificates = Certificates::new();
    let server = certificates.start(&["--hook=sleep"]).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], b""] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.webhook)).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        // A reset is an answer too.
        let _ = timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await.unwrap();
    }
    assert_answered(&mut certificates.client(&server).await, None).await;
}

#[test]
fn self_managed_takes_an_api_server() {
    let output = Command::new(program_path())
        .args(["serve", "--tls=self-managed", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("error: --tls self-managed needs an API server"), "{stderr}");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
}

#[test]
fn sigterm_ends_the_wait_for_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    let plugin = serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "sleep", "args": ["30"],
    });
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "slow",
        "contexts": [{"name": "slow", "context": {"cluster": "slow", "user": "slow"}}],
        "clusters": [{"name": "slow", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "slow", "user": {"exec": plugin}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let started = Instant::now();
    let status = Command::new("timeout")
        .args(["--foreground", "--preserve-status", "--signal=TERM", "2"])
        .arg(program_path())
        .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
        .env("KUBECONFIG", kubeconfig)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    let took = started.elapsed();
    assert_eq!(status.code(), Some(0), "the program ends as asked, after {took:?}");
    let expected = Duration::from_secs(2)..Duration::from_secs(20);
    assert!(
        expected.contains(&took),
        "the signal comes after 2 s, the plugin ends after 30: {took:?}"
    );
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_dropped_connection() {
    let certificates = Certificates::new();
    let mut server = certificates.start(&["--hook=sleep"]).await;
    let mut open_since_the_start = certificates.client(&server).await;
    for rotation in 1..=2 {
        let new = certificates.rotate();
        assert_ne!(certificates.served(&server).await, new, "not before it is read");
        server.wait_for("serving the new certificate").await;
        assert_eq!(certificates.served(&server).await, new, "after rotation {rotation}");
        assert_answered(&mut open_since_the_start, None).await;
    }
    let last_good = certificates.served(&server).await;
    certificates.swap("half a certifi", "");
    server.wait_for("still serving the last good certificate").await;
    assert_eq!(certificates.served(&server).await, last_good);
    let healed = certificates.rotate();
    server.wait_for("serving the new certificate").await;
    assert_eq!(certificates.served(&server).await, healed);
    assert_answered(&mut open_since_the_start, None).await;
}

#[tokio::test]
async fn sigterm_drains_and_exits_with_0() {
    let certificates = Certificates::new();
    let flags = ["--hook=sleep", "--drain-delay=2s", "--drain-timeout=5s"];
    let mut server = certificates.start(&flags).await;
    let mut kept_alive = certificates.client(&server).await;
    assert_answered(&mut kept_alive, None).await;
    // A request whose body is still on its way when the listener closes.
    let (mut body, stream) = Channel::<Bytes>::new(1);
    let mut client = certificates.client(&server).await;
    let in_flight = tokio::spawn(async move { client.send_request(review(stream)).await });
    let (half, rest) = EXAMPLE.split_at(EXAMPLE.len() / 2);
    body.send_data(Bytes::from_static(half.as_bytes())).await.unwrap();

    server.signal("-TERM");
    let signalled = Instant::now();
    server.wait_for("draining").await;
    let draining = (StatusCode::SERVICE_UNAVAILABLE, "not ready: draining\n".to_owned());
    assert_eq!(server.readiness().await, draining);
    assert_answered(&mut kept_alive, Some("close")).await;
    assert_answered(&mut certificates.client(&server).await, Some("close")).await;

    sleep(Duration::from_millis(2500).saturating_sub(signalled.elapsed())).await;
    let late = TcpStream::connect(("127.0.0.1", server.webhook)).await;
    assert!(late.is_err(), "nothing is accepted once the drain delay is over");
    body.send_data(Bytes::from_static(rest.as_bytes())).await.unwrap();
    drop(body);
    let answer = timeout(LIMIT, in_flight).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "what was in flight is answered");
    assert_eq!(server.exit().await.code(), Some(0), "log:\n{}", server.seen);
}

#[tokio::test]
async fn a_client_that_never_ends_does_not_hold_up_the_exit() {
    let certificates = Certificates::new();
    let flags = ["--hook=sleep", "--drain-delay=0", "--drain-timeout=1s"];
    let mut server = certificates.start(&flags).await;
    let mut client = certificates.client(&server).await;
    let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
    tokio::spawn(async move { client.send_request(review(never)).await });
    sleep(Duration::from_millis(200)).await;
    server.signal("-TERM");
    server.wait_for("the drain timeout is over").await;
    assert_eq!(server.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_is_told_to_leave_while_others_are_still_let_in() {
    let certificates = Certificates::new();
    let mut server = certificates.start(&["--hook=sleep", "--drain-delay=60s"]).await;
    let mut client = certificates.client(&server).await;
    assert_answered(&mut client, None).await;
    server.signal("-TERM");
    server.wait_for("draining").await;
    assert_answered(&mut client, Some("close")).await;
    assert_answered(&mut certificates.client(&server).await, Some("close")).await;
}

#[tokio::test]
async fn idle_connections_are_closed_late_and_do_not_hold_up_the_exit() {
    let certificates = Certificates::new();
    let flags = ["--hook=sleep", "--drain-delay=1s", "--drain-timeout=60s"];
    let mut server = certificates.start(&flags).await;
    let mut idle = certificates.client(&server).await;
    assert_answered(&mut idle, None).await;
    let _says_nothing = certificates.connect(&server).await;
    let _half_open = TcpStream::connect(("127.0.0.1", server.webhook)).await.unwrap();
    server.signal("-TERM");
    server.wait_for("draining").await;
    assert!(!idle.is_closed(), "nothing is closed as long as others are accepted");
    assert_eq!(server.exit().await.code(), Some(0), "log:\n{}", server.seen);
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_ca_are_let_in() {
    use tokio::io::AsyncReadExt;
    let (certificates, clients) = (Certificates::new(), Certificates::new());
    let ca = clients.path("ca.crt");
    std::fs::write(&ca, clients.ca.pem()).unwrap();
    let flag = format!("--client-ca={}", ca.display());
    let server = certificates.start(&["--hook=sleep", &flag]).await;

    // In TLS 1.3 a client learns only after its part of the handshake that it is refused.
    let mut nobody = certificates.connect(&server).await;
    let refused = timeout(LIMIT, nobody.read_u8()).await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("CertificateRequired"), "without a certificate: {refused}");
    let mut other = certificates.connect_as_client(&server, &certificates).await.unwrap();
    let refused = timeout(LIMIT, other.read_u8()).await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("fatal alert"), "with a certificate of another CA: {refused}");

    let api_server = clients.connect_as_client(&server, &certificates).await.unwrap();
    assert_answered(&mut http1_client(api_server).await, None).await;
    assert_eq!(server.readiness().await.0, StatusCode::OK, "the kubelet needs no certificate");
}

#[rstest]
#[case::a_name_of_the_certificate("--client-names=other,kube-apiserver", true)]
#[case::its_common_name("--client-names=rcgen self signed cert", true)]
#[case::another_name("--client-names=apiserver", false)]
#[tokio::test]
async fn only_clients_with_a_name_are_let_in(#[case] flag: &str, #[case] answered: bool) {
    use tokio::io::AsyncReadExt;
    let (certificates, clients) = (Certificates::new(), Certificates::new());
    let ca = clients.path("ca.crt");
    std::fs::write(&ca, clients.ca.pem()).unwrap();
    let client_ca = format!("--client-ca={}", ca.display());
    let server = certificates.start(&["--hook=sleep", &client_ca, flag]).await;
    let mut client = clients.connect_as_client(&server, &certificates).await.unwrap();
    if answered {
        assert_answered(&mut http1_client(client).await, None).await;
    } else {
        let refused = timeout(LIMIT, client.read_u8()).await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("fatal alert"), "{refused}");
    }
}

#[rstest]
#[case::sigterm("-TERM")]
#[case::control_c("-INT")]
#[tokio::test]
async fn a_second_signal_aborts(#[case] signal: &str) {
    let mut server = Server::start(&["--drain-delay=60s"]).await;
    server.signal("-TERM");
    server.wait_for("draining").await;
    server.signal(signal);
    server.wait_for("error: aborted by a second signal before the drain was over").await;
    assert_eq!(server.exit().await.code(), Some(1));
}

#[rstest]
#[case::delay_not_a_number(&["--delay=soon"], "--delay <SECONDS>': expected a time from 0s to 1h, such as 15, 90s or 1m30s")]
#[case::delay_too_long(&["--delay=3601"], "--delay <SECONDS>': expected a time from 0s to 1h, such as 15, 90s or 1m30s")]
#[case::delay_above_maximum(&["--delay=301"], "error: --delay 5m1s is above --max-delay 5m")]
#[case::mode(&["--mode=dry"], "--mode <MODE>'")]
#[case::grace(&["--grace=lower"], "--grace <POLICY>'")]
#[case::reserve(&["--shutdown-reserve=2h"], "--shutdown-reserve <SECONDS>': expected a time from 0s to 1h")]
#[case::hook(&["--hook=curl"], "--hook <HOOK>'")]
#[case::selector_that_is_no_json(&["--namespace-selector=stage=canary"], "expected a LabelSelector in JSON")]
#[case::selector_with_an_unknown_operator(&["--namespace-selector={\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Is\"}]}"], "expected a LabelSelector in JSON")]
#[case::selector_of_nothing(&["--namespace-selector={}"], "expected a LabelSelector in JSON")]
#[case::address(&["--listen=8443"], "--listen <ADDRESS>': invalid socket address syntax")]
#[case::log_filter(&["--log=inof"], "--log <FILTER>': expected a level (off, error, warn, info, debug, trace) or TARGET=LEVEL")]
#[case::log_format(&["--log-format=xml"], "--log-format <FORMAT>'")]
#[case::key_without_certificate(&["--tls-key=/tmp/key"], "--tls-cert <FILE>")]
#[case::no_such_file(&["--tls-cert=/nonexistent/tls.crt", "--tls-key=/nonexistent/tls.key"], "error: --tls-cert /nonexistent/tls.crt: No such file or directory")]
#[case::not_a_certificate(&["--tls-cert=/dev/null", "--tls-key=/dev/null"], "error: --tls-cert /dev/null, --tls-key /dev/null: no certificate in PEM form")]
#[case::client_names_without_a_ca(&["--client-names=kube-apiserver"], "error: the following required arguments were not provided")]
#[case::no_such_client_ca(&["--client-ca=/nonexistent/ca.crt"], "error: --client-ca /nonexistent/ca.crt: No such file or directory")]
#[case::empty_client_ca(&["--client-ca=/dev/null"], "error: --client-ca /dev/null: no certificate in PEM form")]
#[case::client_ca_is_no_certificate(&["--client-ca=Cargo.toml"], "error: --client-ca Cargo.toml: no certificate in PEM form")]
#[case::no_connections(&["--max-connections=0"], "--max-connections <NUMBER>': 0 is not in 1..=65536")]
#[case::files_without_files(&["--tls=files"], "--tls-cert <FILE>")]
#[case::files_for_another_source(&["--tls=self-managed", "--tls-cert=/dev/null", "--tls-key=/dev/null"], "error: --tls-cert and --tls-key are for --tls files")]
#[case::lifetime(&["--ca-lifetime=1y"], "--ca-lifetime <LIFETIME>': expected a time from 1s to 36500d, such as 30s, 12h or 90d")]
#[case::lifetime_too_long(&["--ca-lifetime=36501d"], "expected a time from 1s to 36500d")]
#[case::certificate_outlives_ca(&["--tls=self-managed", "--ca-lifetime=90d"], "error: --certificate-lifetime 90d must be shorter than --ca-lifetime 90d")]
#[case::propagation_outlives_ca(&["--tls=self-managed", "--ca-lifetime=3m", "--certificate-lifetime=1m"], "error: --ca-propagation 1m must be shorter than a third of --ca-lifetime 3m")]
#[case::no_dns_name(&["--tls=self-managed", "--service=a b"], "error: --service, --namespace and --cluster-domain do not make a DNS name: \"a b\"")]
#[case::address_not_ours(&["--listen=192.0.2.1:8443"], "error: --listen: cannot listen on 192.0.2.1:8443: ")]
#[case::targets(&["--targets=some"], "invalid value 'some' for '--targets <TARGETS>'")]
#[case::targets_that_nothing_watches(&["--targets=upstreams"], "error: --targets upstreams needs --upstreams true")]
#[case::controller_version(&["--apisix-version=3"], "invalid value '3' for '--apisix-version <VERSION>'")]
#[case::unknown_flag(&["--wait=5"], "unexpected argument '--wait'")]
fn a_bad_flag_is_named_and_the_exit_code_is_2(#[case] flags: &[&str], #[case] message: &str) {
    let mut command = Command::new(program_path());
    // Another port than the default: should a flag be taken, nothing else is in the way.
    command.args(
        [
            "serve",
            "--hook=exec",
            "--events=false",
            "--upstreams=false",
            "--admin-listen=127.0.0.1:0",
        ]
        .iter()
        .filter(|given| {
            let name = given.split('=').next().unwrap();
            !flags.iter().any(|flag| flag.starts_with(&format!("{name}=")))
        }),
    );
    let output = command.args(flags).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(message), "expected {message:?} in {stderr:?}");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
}

#[test]
fn a_flag_can_come_from_the_environment() {
    let output = Command::new(program_path())
        .arg("serve")
        .env("APISIX_PRESTOP_DELAY", "soon")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("'soon' for '--delay <SECONDS>'"), "{stderr}");
}
