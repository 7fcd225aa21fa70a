use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    sync::Mutex,
    thread,
};

use axum::{Router, extract, response::IntoResponse, routing::get};
use futures::{SinkExt, StreamExt};
use kube::{Client, Config};
use rstest::rstest;
use serde_json::json;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use super::*;

/// What a gateway does with a connection, once it has read the request.
type Reply = fn(&str, &mut TcpStream) -> io::Result<()>;

/// A gateway that answers like this, and the requests that it gets.
fn gateway(reply: Reply) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let got = requests.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, got) = (stream.unwrap(), got.clone());
            thread::spawn(move || {
                let request = head(&mut stream)?;
                got.lock().unwrap().push(request.clone());
                reply(request.split(' ').nth(1).unwrap(), &mut stream)
            });
        }
    });
    (address, requests)
}

fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// Waits until the client has hung up.
fn wait(stream: &mut TcpStream) -> io::Result<()> {
    stream.read(&mut [0]).map(drop)
}

fn respond(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn wanted() -> Arc<HashSet<SocketAddr>> {
    let all = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"].map(|text| text.parse().unwrap());
    Arc::new(HashSet::from(all))
}

fn present(texts: &[&str]) -> HashSet<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const NODE: &str = r#"[{"value":{"nodes":{"10.0.0.1:80":1}}}]"#;

async fn asked(address: SocketAddr) -> Result<GatewayAnswer, String> {
    let limits = AskLimits { connect: Duration::from_secs(5), answer: Duration::from_secs(2) };
    let paths = [ControlApiPath::Upstreams];
    let answer = ask_within(limits, &GatewayAccess::PodIp(address), &paths, &wanted()).await;
    answer.map_err(|error| error.to_string().replace(&address.to_string(), "GATEWAY"))
}

#[tokio::test]
async fn what_a_gateway_has_is_the_union_of_the_paths() {
    let (address, requests) = gateway(|path, stream| match path {
        "/v1/upstreams" => respond(stream, "200 OK", "{}"),
        "/v1/services" => respond(stream, "200 OK", NODE),
        "/v1/routes" => {
            let inline = r#"[{"value":{"upstream":{"nodes":{"10.0.0.1:80":1,"10.0.0.2:80":1}}}}]"#;
            respond(stream, "200 OK", inline)
        }
        _ => respond(stream, "404 Not Found", r#"{"error_msg":"404"}"#),
    });
    let access = GatewayAccess::PodIp(address);

    let answer = ask(&access, &ControlApiPath::ALL, &wanted()).await.unwrap();

    let paths = vec![ControlApiPath::Services, ControlApiPath::Routes];
    assert_eq!(answer, GatewayAnswer { present: present(&["10.0.0.1:80", "10.0.0.2:80"]), paths });
    let expected = ControlApiPath::ALL
        .map(|path| format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"));
    assert_eq!(*requests.lock().unwrap(), expected, "each path is asked once");

    let answer = ask(&access, &answer.paths[..1], &wanted()).await.unwrap();
    assert_eq!(answer.present, present(&["10.0.0.1:80"]), "later, of one path");
}

#[rstest]
#[case::in_chunks(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for piece in NODE.as_bytes().chunks(7) {
        write!(stream, "{:x}\r\n{}\r\n", piece.len(), str::from_utf8(piece).unwrap())?;
    }
    stream.write_all(b"0\r\n\r\n")
})]
#[case::until_the_connection_ends(|_: &str, stream: &mut TcpStream| write!(stream, "HTTP/1.1 200 OK\r\n\r\n{NODE}"))]
#[case::on_a_connection_that_stays_open(|_: &str, stream: &mut TcpStream| {
    respond(stream, "200 OK", NODE)?;
    wait(stream)
})]
#[case::with_a_header_that_fits(|_: &str, stream: &mut TcpStream| {
    let header = "a".repeat(8 * 1024);
    write!(stream, "HTTP/1.1 200 OK\r\nx: {header}\r\ncontent-length: {}\r\n\r\n{NODE}", NODE.len())
})]
#[case::of_many_pieces(|_: &str, stream: &mut TcpStream| {
    let skipped = r#"{"value":{"nodes":[]}},"#.repeat(10_000);
    respond(stream, "200 OK", &format!("[{skipped}{}", &NODE[1..]))
})]
#[tokio::test]
async fn an_answer_is_read(#[case] reply: Reply) {
    let (address, _) = gateway(reply);
    let answer = asked(address).await.unwrap();
    let paths = vec![ControlApiPath::Upstreams];
    assert_eq!(answer, GatewayAnswer { present: present(&["10.0.0.1:80"]), paths });
}

#[rstest]
#[case::hang(|_: &str, stream: &mut TcpStream| wait(stream), "GATEWAY has not answered /v1/upstreams within 2s")]
#[case::hang_in_the_body(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[")?;
    wait(stream)
}, "GATEWAY has not answered /v1/upstreams within 2s")]
#[case::drip(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
    loop {
        stream.write_all(b" ")?;
        thread::sleep(Duration::from_millis(20));
    }
}, "GATEWAY has not answered /v1/upstreams within 2s")]
#[case::drip_of_headers(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    loop {
        stream.write_all(b"x: y\r\n")?;
        thread::sleep(Duration::from_millis(20));
    }
}, "GATEWAY has not answered /v1/upstreams within 2s")]
#[case::flood(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[")?;
    loop {
        stream.write_all(r#"{"value":{"nodes":[]}},"#.repeat(1000).as_bytes())?;
    }
}, "GATEWAY has not answered /v1/upstreams within 2s")]
#[case::flood_of_brackets(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[{\"value\":{\"x\":")?;
    loop {
        stream.write_all(&[b'['; 1000])?;
    }
}, "GATEWAY has no usable answer to /v1/upstreams: the answer is nested more than 100 levels deep")]
#[case::redirect(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
}, "GATEWAY answers /v1/upstreams with 302 Found")]
#[case::forbidden(|_: &str, stream: &mut TcpStream| respond(stream, "403 Forbidden", NODE), "GATEWAY answers /v1/upstreams with 403 Forbidden")]
#[case::no_such_path(|_: &str, stream: &mut TcpStream| respond(stream, "404 Not Found", NODE), "GATEWAY knows no path of the Control API of APISIX: is this its port?")]
#[case::error(|_: &str, stream: &mut TcpStream| respond(stream, "500 Internal Server Error", NODE), "GATEWAY answers /v1/upstreams with 500 Internal Server Error")]
#[case::no_content(|_: &str, stream: &mut TcpStream| write!(stream, "HTTP/1.1 204 No Content\r\n\r\n"), "GATEWAY answers /v1/upstreams with 204 No Content")]
#[case::another_protocol(|_: &str, stream: &mut TcpStream| write!(stream, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), "GATEWAY answers /v1/upstreams with 101 Switching Protocols")]
#[case::closes_at_once(|_: &str, _: &mut TcpStream| Ok(()), "GATEWAY has closed the connection before the end of its answer to /v1/upstreams")]
#[case::closes_in_the_header(|_: &str, stream: &mut TcpStream| write!(stream, "HTTP/1.1 200 OK\r\nconte"), "GATEWAY has closed the connection before the end of its answer to /v1/upstreams")]
#[case::closes_in_the_middle(|_: &str, stream: &mut TcpStream| {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{NODE}")
}, "GATEWAY has closed the connection before the end of its answer to /v1/upstreams")]
#[case::closes_in_a_chunk(|_: &str, stream: &mut TcpStream| {
    write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[]\r\n")
}, "GATEWAY has closed the connection before the end of its answer to /v1/upstreams")]
#[case::closes_where_nothing_else_marks_the_end(|_: &str, stream: &mut TcpStream| {
    write!(stream, "HTTP/1.1 200 OK\r\n\r\n{}", &NODE[..10])
}, "GATEWAY has no usable answer to /v1/upstreams: the answer is empty or ends too early")]
#[case::garbage(|_: &str, stream: &mut TcpStream| stream.write_all(b"\x16\x03\x01\x02\x00"), "GATEWAY does not answer /v1/upstreams in HTTP: is this the port of the Control API?")]
#[case::another_server(|_: &str, stream: &mut TcpStream| stream.write_all(b"220 mail ESMTP\r\n\r\n"), "GATEWAY does not answer /v1/upstreams in HTTP: is this the port of the Control API?")]
#[case::huge_header(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
    loop {
        stream.write_all(&[b'a'; 1000])?;
    }
}, "GATEWAY answers /v1/upstreams with a header of more than 16 KiB")]
#[case::too_many_headers(|_: &str, stream: &mut TcpStream| {
    stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
    loop {
        stream.write_all(b"x: y\r\n")?;
    }
}, "GATEWAY answers /v1/upstreams with a header of more than 16 KiB")]
#[case::html(|_: &str, stream: &mut TcpStream| respond(stream, "200 OK", "<html></html>"), "GATEWAY has no usable answer to /v1/upstreams: the answer is not JSON")]
#[case::the_admin_api(|_: &str, stream: &mut TcpStream| respond(stream, "200 OK", r#"{"total":0,"list":[]}"#), "GATEWAY has no usable answer to /v1/upstreams: the answer is not that of a Control API of APISIX")]
#[tokio::test]
async fn a_fault_is_a_sentence(#[case] reply: Reply, #[case] expected: &str) {
    let (address, _) = gateway(reply);
    assert_eq!(asked(address).await, Err(expected.to_owned()));
}

#[tokio::test]
async fn a_gateway_that_refuses_is_told_what_to_do() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let expected =
        "nobody listens on GATEWAY: expose the Control API of APISIX, or use a port-forward";
    assert_eq!(asked(address).await, Err(expected.to_owned()));
}

/// The second path does not answer: what the first had is no answer of the gateway.
#[tokio::test]
async fn an_answer_to_a_part_of_the_paths_is_none() {
    let (address, _) = gateway(|path, stream| match path {
        "/v1/upstreams" => respond(stream, "200 OK", NODE),
        _ => respond(stream, "503 Service Unavailable", ""),
    });
    let paths = [ControlApiPath::Upstreams, ControlApiPath::Routes];
    let error = ask(&GatewayAccess::PodIp(address), &paths, &wanted()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{address} answers /v1/routes with 503 Service Unavailable")
    );
}

#[tokio::test]
async fn when_the_future_is_dropped_nothing_of_it_stays() {
    static HUNG_UP: Mutex<bool> = Mutex::new(false);
    let (address, _) = gateway(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[")?;
        wait(stream)?;
        *HUNG_UP.lock().unwrap() = true;
        Ok(())
    });
    let wanted = wanted();
    let asking = tokio::spawn({
        let wanted = wanted.clone();
        async move { ask(&GatewayAccess::PodIp(address), &[ControlApiPath::Upstreams], &wanted).await }
    });
    // Here, in the task, and in the thread that reads.
    let until_it_reads = async {
        while Arc::strong_count(&wanted) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), until_it_reads).await.expect("the answer begins");

    asking.abort();

    let until_it_ends = async {
        while Arc::strong_count(&wanted) > 1 || !*HUNG_UP.lock().unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), until_it_ends)
        .await
        .expect("the thread and the connection end");
}

/// An API server whose port-forwards to one Pod lead to `target`, or are an error of the kubelet. Others
/// are forbidden.
async fn api_server(target: Result<SocketAddr, &'static str>) -> Api<Pod> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let forward = async move |request| forward_port(target, request);
    let router =
        Router::new().route("/api/v1/namespaces/apisix/pods/apisix-0/portforward", get(forward)).fallback(async || {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "message": "pods is forbidden", "reason": "Forbidden"});
            (StatusCode::FORBIDDEN, [("content-type", "application/json")], status.to_string())
        });
    tokio::spawn(async { axum::serve(listener, router).await });
    let client = Client::try_from(Config::new(url.parse().unwrap())).unwrap();
    Api::namespaced(client, "apisix")
}

/// Speaks `v4.channel.k8s.io`: each message begins with its channel, 0 for data and 1 for errors, and
/// the first of each channel names the port.
fn forward_port(
    target: Result<SocketAddr, &'static str>,
    mut request: extract::Request,
) -> impl IntoResponse {
    let key = derive_accept_key(request.headers()["sec-websocket-key"].as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgraded.await.unwrap());
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let (mut sink, mut source) = socket.split();
        let port = 9090_u16.to_le_bytes();
        for channel in [0, 1] {
            sink.send(Message::binary(vec![channel, port[0], port[1]])).await.unwrap();
        }
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                let message = [&[1], error.as_bytes()].concat();
                sink.send(Message::binary(message)).await.unwrap();
                return pending().await;
            }
        };
        let pod = tokio::net::TcpStream::connect(target).await.unwrap();
        let (mut from_pod, mut to_pod) = pod.into_split();
        tokio::spawn(async move {
            while let Some(Ok(message)) = source.next().await {
                if let [0, data @ ..] = &*message.into_data() {
                    tokio::io::AsyncWriteExt::write_all(&mut to_pod, data).await.unwrap();
                }
            }
        });
        let mut data = [0; 16 * 1024];
        while let Ok(length @ 1..) =
            tokio::io::AsyncReadExt::read(&mut from_pod, &mut data[1..]).await
        {
            let _ = sink.send(Message::binary(data[..=length].to_vec())).await;
        }
    });
    let headers = [
        ("connection", "Upgrade".to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("sec-websocket-accept", key),
        ("sec-websocket-protocol", "v4.channel.k8s.io".to_owned()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers)
}

async fn asked_through(pods: Api<Pod>, pod: &str) -> Result<HashSet<SocketAddr>, String> {
    let limits = AskLimits { connect: Duration::from_secs(5), answer: Duration::from_secs(2) };
    let access =
        GatewayAccess::PortForward { pods: Box::new(pods), pod: pod.to_owned(), port: 9090 };
    let answer = ask_within(limits, &access, &[ControlApiPath::Upstreams], &wanted()).await;
    answer.map(|answer| answer.present).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_gateway_is_asked_through_a_port_forward() {
    let (address, requests) = gateway(|_, stream| respond(stream, "200 OK", NODE));
    let pods = api_server(Ok(address)).await;
    assert_eq!(asked_through(pods, "apisix-0").await, Ok(present(&["10.0.0.1:80"])));
    let host = "host: 127.0.0.1:9090\r\n";
    assert!(
        requests.lock().unwrap()[0].contains(host),
        "the Control API is on the loopback address"
    );
}

#[rstest]
#[case::refused(
    "apisix-0",
    "error forwarding port 9090 to pod 1: dial tcp4 127.0.0.1:9090: connect: connection refused",
    "nobody listens on port 9090 of apisix-0: enable the Control API of APISIX"
)]
#[case::another_error(
    "apisix-0",
    "the node\nis gone",
    "no connection to port 9090 of apisix-0: the node is gone"
)]
#[case::forbidden("apisix-1", "", "no connection to port 9090 of apisix-1: pods is forbidden")]
#[tokio::test]
async fn a_fault_of_a_port_forward_is_a_sentence(
    #[case] pod: &str,
    #[case] says: &'static str,
    #[case] expected: &str,
) {
    let pods = api_server(Err(says)).await;
    assert_eq!(asked_through(pods, pod).await, Err(expected.to_owned()));
}

#[tokio::test]
async fn a_gateway_behind_a_port_forward_that_hangs_is_given_up() {
    let (address, _) = gateway(|_, stream| wait(stream));
    let pods = api_server(Ok(address)).await;
    let expected = "port 9090 of apisix-0 has not answered /v1/upstreams within 2s";
    assert_eq!(asked_through(pods, "apisix-0").await, Err(expected.to_owned()));
}
