use proptest::{prelude::*, sample::subsequence};
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::*;

const PATHS_OF_ENTRIES: [ControlApiPath; 3] =
    [ControlApiPath::Upstreams, ControlApiPath::Services, ControlApiPath::Routes];

fn addresses(texts: &[&str]) -> HashSet<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn wanted() -> HashSet<SocketAddr> {
    addresses(&["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:8080", "[fd00::1]:80", "10.0.0.4:443"])
}

fn found(path: ControlApiPath, answer: &str) -> Result<HashSet<SocketAddr>, ControlApiError> {
    read_addresses(answer.as_bytes(), path, &wanted())
}

fn found_in_upstream(upstream: &Value) -> HashSet<SocketAddr> {
    let answer = json!([{"key": "/apisix/upstreams/1", "value": upstream}]);
    found(ControlApiPath::Upstreams, &answer.to_string()).unwrap()
}

fn dump(ports: &Value) -> String {
    let services = json!([{"name": "shop/web", "value": ports.to_string()}]);
    json!({"config": [{"id": "a", "client": {"token": "t"}}], "endpoints": [{"id": "a", "endpoints": services}]})
        .to_string()
}

#[rstest]
#[case::none(json!([]), &[])]
#[case::none_in_lua(json!({}), &[])]
#[case::null(json!(null), &[])]
#[case::one(json!([{"host": "10.0.0.1", "port": 80, "weight": 100, "priority": 0}]), &["10.0.0.1:80"])]
#[case::another_port(json!([{"host": "10.0.0.1", "port": 81, "weight": 100}]), &[])]
#[case::not_wanted(json!([{"host": "10.0.0.9", "port": 80, "weight": 100}]), &[])]
#[case::host_name(json!([{"host": "web.example.com", "port": 80, "weight": 1}]), &[])]
#[case::ipv6(json!([{"host": "fd00::1", "port": 80, "weight": 1}]), &["[fd00::1]:80"])]
#[case::ipv6_in_brackets(json!([{"host": "[fd00::1]", "port": 80, "weight": 1}]), &["[fd00::1]:80"])]
#[case::ipv6_in_another_form(json!([{"host": "FD00:0:0::1", "port": 80, "weight": 1}]), &["[fd00::1]:80"])]
#[case::without_a_port(json!([{"host": "10.0.0.1", "weight": 1}]), &["10.0.0.1:80"])]
#[case::without_a_port_of_https(json!([{"host": "10.0.0.4", "weight": 1}]), &["10.0.0.4:443"])]
#[case::twice(
    json!([{"host": "10.0.0.1", "port": 80, "weight": 1}, {"host": "10.0.0.1", "port": 80, "weight": 1}]),
    &["10.0.0.1:80"]
)]
#[case::of_a_resolved_domain(
    json!([{"host": "10.0.0.1", "domain": "web.example.com", "port": 80, "weight": 1}]),
    &["10.0.0.1:80"]
)]
#[case::map(json!({"10.0.0.1:80": 1, "10.0.0.2:81": 1}), &["10.0.0.1:80"])]
#[case::map_ipv6(json!({"[fd00::1]:80": 1}), &["[fd00::1]:80"])]
#[case::map_without_a_port(json!({"10.0.0.1": 1, "fd00::1": 1}), &["10.0.0.1:80", "[fd00::1]:80"])]
#[case::map_host_name(json!({"web.example.com:80": 1, "web": 1}), &[])]
fn the_nodes_of_an_upstream_are_found(#[case] nodes: Value, #[case] expected: &[&str]) {
    assert_eq!(found_in_upstream(&json!({"id": "1", "nodes": nodes})), addresses(expected));
}

/// A node without a weight, and one more.
fn idle_and(other: Value) -> Value {
    json!([{"host": "10.0.0.1", "port": 80, "weight": 0}, other])
}

#[rstest]
#[case::beside_one_with_a_weight(json!({"nodes": idle_and(json!({"host": "a", "weight": 1}))}), false)]
#[case::in_a_map(json!({"nodes": {"10.0.0.1:80": 0, "10.0.0.9:80": 1}}), false)]
#[case::left_out(json!({"nodes": [{"host": "10.0.0.1", "port": 80}, {"host": "a", "weight": 1}]}), false)]
#[case::roundrobin(json!({"type": "roundrobin", "nodes": idle_and(json!({"host": "a", "weight": 1}))}), false)]
#[case::chash(json!({"type": "chash", "nodes": idle_and(json!({"host": "a", "weight": 1}))}), false)]
#[case::beside_its_double(json!({"nodes": idle_and(json!({"host": "10.0.0.1", "port": 80, "weight": 1}))}), true)]
#[case::alone(json!({"nodes": [{"host": "10.0.0.1", "port": 80, "weight": 0}]}), true)]
#[case::beside_another_of_weight_0(json!({"nodes": idle_and(json!({"host": "a", "weight": 0}))}), true)]
#[case::beside_another_priority(
    json!({"nodes": idle_and(json!({"host": "a", "weight": 1, "priority": -1}))}),
    true
)]
#[case::ewma(json!({"nodes": idle_and(json!({"host": "a", "weight": 1})), "type": "ewma"}), true)]
#[case::least_conn(json!({"nodes": idle_and(json!({"host": "a", "weight": 1})), "type": "least_conn"}), true)]
#[case::checked(json!({"nodes": idle_and(json!({"host": "a", "weight": 1})), "checks": {"active": {}}}), true)]
#[case::unchecked(json!({"nodes": idle_and(json!({"host": "a", "weight": 1})), "checks": null}), false)]
fn a_node_of_weight_0_counts_where_it_can_get_requests(
    #[case] upstream: Value,
    #[case] counts: bool,
) {
    let expected = if counts { addresses(&["10.0.0.1:80"]) } else { HashSet::new() };
    assert_eq!(found_in_upstream(&upstream), expected);
}

#[test]
fn weights_of_one_upstream_say_nothing_of_another() {
    let upstream =
        |host, weight| json!({"value": {"nodes": [{"host": host, "port": 80, "weight": weight}]}});
    let answer = json!([upstream("10.0.0.9", 1), upstream("10.0.0.1", 0), upstream("10.0.0.9", 1)]);
    let found = found(ControlApiPath::Upstreams, &answer.to_string());
    assert_eq!(found, Ok(addresses(&["10.0.0.1:80"])));
}

#[rstest]
#[case::no_upstream(json!({"id": "1", "upstream_id": "1", "plugins": {"x": {"nodes": 1}}}), &[])]
#[case::discovered(json!({"service_name": "shop/web:http", "discovery_type": "kubernetes", "type": "roundrobin"}), &[])]
#[case::inline(json!({"upstream": {"nodes": [{"host": "10.0.0.1", "port": 80, "weight": 1}]}}), &["10.0.0.1:80"])]
#[case::inline_null(json!({"upstream": null}), &[])]
#[case::both(
    json!({
        "nodes": {"10.0.0.1:80": 1, "10.0.0.9:80": 0},
        "upstream": {"nodes": {"10.0.0.2:80": 0}},
    }),
    &["10.0.0.1:80", "10.0.0.2:80"]
)]
fn upstreams_of_services_and_routes_are_found(#[case] value: Value, #[case] expected: &[&str]) {
    let entry = json!({
        "modifiedIndex": 12, "createdIndex": 9, "has_domain": false, "clean_handlers": {},
        "value": value, "key": "/apisix/routes/1",
    });
    for path in PATHS_OF_ENTRIES {
        let found = found(path, &json!([entry, entry]).to_string());
        assert_eq!(found, Ok(addresses(expected)), "{path}");
    }
}

#[rstest]
#[case::empty("[]")]
#[case::empty_in_lua("{}")]
#[case::space(" \n[ ]\t")]
fn an_empty_list_has_no_addresses(#[case] answer: &str) {
    for path in PATHS_OF_ENTRIES {
        assert_eq!(found(path, answer), Ok(HashSet::new()), "{path}");
    }
}

#[rstest]
#[case::ports(
    dump(&json!({
        "http": [{"host": "10.0.0.1", "port": 80, "weight": 50}, {"host": "10.0.0.9", "port": 80, "weight": 50}],
        "admin": [{"host": "10.0.0.3", "port": 8080, "weight": 0}],
    })),
    &["10.0.0.1:80", "10.0.0.3:8080"]
)]
#[case::empty_port(dump(&json!({"http": {}})), &[])]
#[case::no_ports(dump(&json!({})), &[])]
#[case::no_ports_as_a_list(dump(&json!([])), &[])]
#[case::nothing_discovered(r#"{"endpoints":{},"config":{}}"#.to_owned(), &[])]
#[case::no_services(r#"{"endpoints":[{"endpoints":{}}]}"#.to_owned(), &[])]
#[case::a_deleted_service(r#"{"endpoints":[{"endpoints":[{"name":"shop/web"}]}]}"#.to_owned(), &[])]
fn discovered_endpoints_are_found(#[case] answer: String, #[case] expected: &[&str]) {
    let found = found(ControlApiPath::KubernetesDiscovery, &answer);
    assert_eq!(found, Ok(addresses(expected)), "{answer}");
}

#[test]
fn of_a_key_that_is_there_twice_both_count() {
    let answer = r#"[{"value":{"nodes":{"10.0.0.1:80":1},"nodes":{"10.0.0.2:80":1}},"value":{"nodes":{"10.0.0.3:8080":1}}}]"#;
    let expected = addresses(&["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:8080"]);
    assert_eq!(found(ControlApiPath::Routes, answer), Ok(expected));
}

#[rstest]
#[case::nothing("", ControlApiError::Truncated)]
#[case::only_space(" \n", ControlApiError::Truncated)]
#[case::cut_in_a_list("[", ControlApiError::Truncated)]
#[case::cut_in_a_text(r#"[{"val"#, ControlApiError::Truncated)]
#[case::html("<html></html>", ControlApiError::NotJson)]
#[case::binary("\0\u{1}\u{2}", ControlApiError::NotJson)]
#[case::nan(r#"[{"value":{"nodes":[{"host":"a","weight":NaN}]}}]"#, ControlApiError::NotJson)]
#[case::infinite(
    r#"[{"value":{"nodes":[{"host":"a","weight":1e999}]}}]"#,
    ControlApiError::NotJson
)]
#[case::more_after_its_end("[] []", ControlApiError::NotJson)]
#[case::null("null", ControlApiError::OtherShape)]
#[case::text(r#""ok""#, ControlApiError::OtherShape)]
#[case::number("1", ControlApiError::OtherShape)]
#[case::an_error(r#"{"error_msg":"secret"}"#, ControlApiError::OtherShape)]
#[case::the_admin_api(r#"{"total":0,"list":[]}"#, ControlApiError::OtherShape)]
#[case::list_of_lists("[[]]", ControlApiError::OtherShape)]
#[case::list_of_nulls("[null]", ControlApiError::OtherShape)]
#[case::no_value(r#"[{"key":"/apisix/routes/1"}]"#, ControlApiError::OtherShape)]
#[case::null_value(r#"[{"value":null}]"#, ControlApiError::OtherShape)]
#[case::value_is_a_list(r#"[{"value":[]}]"#, ControlApiError::OtherShape)]
#[case::nodes_are_a_number(r#"[{"value":{"nodes":1}}]"#, ControlApiError::OtherShape)]
#[case::node_is_a_text(r#"[{"value":{"nodes":["10.0.0.1:80"]}}]"#, ControlApiError::OtherShape)]
#[case::node_is_a_list(
    r#"[{"value":{"nodes":[["10.0.0.1",80,1,0]]}}]"#,
    ControlApiError::OtherShape
)]
#[case::no_host(r#"[{"value":{"nodes":[{"port":80}]}}]"#, ControlApiError::OtherShape)]
#[case::port_is_a_text(
    r#"[{"value":{"nodes":[{"host":"a","port":"80"}]}}]"#,
    ControlApiError::OtherShape
)]
#[case::port_too_high(
    r#"[{"value":{"nodes":[{"host":"a","port":65536}]}}]"#,
    ControlApiError::OtherShape
)]
#[case::negative_port(
    r#"[{"value":{"nodes":[{"host":"a","port":-1}]}}]"#,
    ControlApiError::OtherShape
)]
#[case::weight_is_a_text(r#"[{"value":{"nodes":{"a":"1"}}}]"#, ControlApiError::OtherShape)]
#[case::type_is_a_number(r#"[{"value":{"type":1}}]"#, ControlApiError::OtherShape)]
fn another_answer_is_an_error(#[case] answer: &str, #[case] expected: ControlApiError) {
    for path in PATHS_OF_ENTRIES {
        assert_eq!(found(path, answer), Err(expected), "{path}");
    }
}

#[rstest]
#[case::list("[]")]
#[case::no_endpoints("{}")]
#[case::value_is_an_object(r#"{"endpoints":[{"endpoints":[{"value":{}}]}]}"#)]
#[case::value_is_no_json(r#"{"endpoints":[{"endpoints":[{"value":"secret"}]}]}"#)]
#[case::value_is_cut(r#"{"endpoints":[{"endpoints":[{"value":"{\"http\":["}]}]}"#)]
#[case::value_is_a_list(r#"{"endpoints":[{"endpoints":[{"value":"[1]"}]}]}"#)]
fn another_dump_is_an_error(#[case] answer: &str) {
    let found = found(ControlApiPath::KubernetesDiscovery, answer);
    assert_eq!(found, Err(ControlApiError::OtherShape));
}

#[rstest]
#[case(ControlApiError::TooLong, "the answer is longer than 128 MiB")]
#[case(ControlApiError::LongToken, "the answer has a text or a number of more than 1024 KiB")]
#[case(ControlApiError::TooDeep, "the answer is nested more than 100 levels deep")]
#[case(
    ControlApiError::Read(io::ErrorKind::ConnectionReset),
    "the answer cannot be read: connection reset"
)]
fn an_error_is_a_sentence(#[case] error: ControlApiError, #[case] expected: &str) {
    assert_eq!(error.to_string(), expected);
}

/// A stream of `head`, and then of `unit` again and again.
fn endless(head: &'static str, unit: &'static str) -> impl Read {
    struct Again(io::Cursor<&'static str>);
    impl Read for Again {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.position() == self.0.get_ref().len() as u64 {
                self.0.set_position(0);
            }
            self.0.read(buffer)
        }
    }
    head.as_bytes().chain(Again(io::Cursor::new(unit)))
}

#[rstest]
#[case::nested_list(r#"[{"value":{"a":"#, "[", ControlApiError::TooDeep)]
#[case::nested_in_what_is_skipped(
    r#"[{"value":{"plugins":"#,
    r#"{"a":["#,
    ControlApiError::TooDeep
)]
#[case::nested_upstreams(r#"[{"value":"#, r#"{"upstream":"#, ControlApiError::TooDeep)]
#[case::text(r#"[{"value":{"id":""#, "a", ControlApiError::LongToken)]
#[case::text_of_escapes(r#"[{"value":{"id":""#, r#"\""#, ControlApiError::LongToken)]
#[case::key(r#"[{"value":{""#, "a", ControlApiError::LongToken)]
#[case::address(r#"[{"value":{"nodes":{""#, "1", ControlApiError::LongToken)]
#[case::number(r#"[{"value":{"id":"#, "1", ControlApiError::LongToken)]
#[case::fraction(r#"[{"value":{"nodes":{"a":1."#, "0", ControlApiError::LongToken)]
fn an_endless_answer_is_an_error(
    #[case] head: &'static str,
    #[case] unit: &'static str,
    #[case] expected: ControlApiError,
) {
    let path = ControlApiPath::Upstreams;
    assert_eq!(read_addresses(endless(head, unit), path, &wanted()), Err(expected));
}

/// Nothing of it is kept: it is made while it is read.
#[test]
fn an_answer_of_100_mb_is_read() {
    const ENTRY: &str = concat!(
        r#"{"key":"/apisix/upstreams/1","has_domain":false,"clean_handlers":{},"value":{"nodes":["#,
        r#"{"host":"10.9.0.1","port":80,"weight":100,"priority":0},{"host":"10.0.0.1","port":80,"weight":100}"#,
        r#"],"labels":{"managed-by":"apisix-ingress-controller","padding":"0123456789012345678901234567890"},"#,
        r#""name":"shop_web_80","type":"roundrobin","scheme":"http","pass_host":"pass","timeout":{"read":60}}},"#,
    );
    const ENTRIES: u64 = 100_000_000 / ENTRY.len() as u64;
    let last = r#"{"value":{"nodes":{"10.0.0.2:80":1}}}]"#;
    let long = endless("[", ENTRY).take(1 + ENTRIES * ENTRY.len() as u64).chain(last.as_bytes());
    let path = ControlApiPath::Upstreams;

    let found = read_addresses(long, path, &wanted());
    assert_eq!(found, Ok(addresses(&["10.0.0.1:80", "10.0.0.2:80"])));
}

/// Without serde_json, which takes its time over 128 MiB in a debug build.
#[test]
fn an_answer_without_end_ends_at_the_bound() {
    let mut bounded = BoundedJson::new(endless("[", "{}, "));
    let error = io::copy(&mut bounded, &mut io::sink()).unwrap_err();
    assert_eq!(error.downcast::<ControlApiError>().unwrap(), ControlApiError::TooLong);
}

#[test]
fn a_stream_that_fails_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let found = read_addresses(b"[".chain(Broken), ControlApiPath::Routes, &wanted());
    assert_eq!(found, Err(ControlApiError::Read(io::ErrorKind::ConnectionReset)));
}

/// What the reader has to find, in an answer that is there as a whole.
mod reference {
    use super::*;

    /// `None` where the answer has another shape.
    pub(super) fn found(
        answer: &Value,
        path: ControlApiPath,
        wanted: &HashSet<SocketAddr>,
    ) -> Option<HashSet<SocketAddr>> {
        let mut present = Vec::new();
        if path == ControlApiPath::KubernetesDiscovery {
            for cluster in list(answer.get("endpoints")?)? {
                for service in list(cluster.get("endpoints")?)? {
                    let text = service.get("value")?.as_str()?;
                    let ports: Map<String, Value> = serde_json::from_str(text).ok()?;
                    ports.values().for_each(|nodes| pool(&json!({"nodes": nodes}), &mut present));
                }
            }
        } else {
            for entry in list(answer)? {
                let value = entry.get("value")?;
                pool(value, &mut present);
                pool(&value["upstream"], &mut present);
            }
        }
        Some(present.into_iter().filter(|address| wanted.contains(address)).collect())
    }

    fn list(value: &Value) -> Option<&[Value]> {
        let is_empty = value.as_object().is_some_and(Map::is_empty);
        if is_empty { Some(&[]) } else { value.as_array().map(Vec::as_slice) }
    }

    fn pool(upstream: &Value, present: &mut Vec<SocketAddr>) {
        let nodes: Vec<Value> = match &upstream["nodes"] {
            Value::Array(nodes) => nodes.clone(),
            Value::Object(nodes) => nodes.iter().map(|(key, weight)| of_key(key, weight)).collect(),
            _ => Vec::new(),
        };
        let weight = |node: &Value| node["weight"].as_f64().unwrap_or(0.0);
        let priorities: HashSet<i64> =
            nodes.iter().map(|node| node["priority"].as_i64().unwrap_or(0)).collect();
        let is_by_weight = matches!(upstream["type"].as_str(), None | Some("roundrobin" | "chash"));
        let leaves_idle_out = is_by_weight
            && upstream["checks"].is_null()
            && priorities.len() == 1
            && nodes.iter().any(|node| weight(node) > 0.0);
        for node in nodes.iter().filter(|node| !leaves_idle_out || weight(node) > 0.0) {
            let host = node["host"].as_str().unwrap().trim_matches(['[', ']']);
            let Ok(ip) = host.parse::<IpAddr>() else { continue };
            match node["port"].as_u64() {
                Some(port) => present.push((ip, u16::try_from(port).unwrap()).into()),
                None => present.extend([80, 443].map(|port| SocketAddr::new(ip, port))),
            }
        }
    }

    fn of_key(key: &str, weight: &Value) -> Value {
        match key.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                json!({"host": host, "port": port.parse::<u16>().unwrap(), "weight": weight})
            }
            _ => json!({"host": key, "weight": weight}),
        }
    }
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["10.0.0.1", "10.0.0.2", "[fd00::1]", "web.example.com"])
}

fn port() -> impl Strategy<Value = Option<u16>> {
    prop::option::weighted(0.8, prop::sample::select(vec![80, 443, 8080]))
}

fn weight() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![json!(1), json!(100), json!(0), json!(0.5), json!(null)])
}

fn nodes() -> impl Strategy<Value = Value> {
    let priority = prop::sample::select(vec![json!(0), json!(0), json!(null), json!(-1)]);
    let node = (host(), port(), weight(), priority).prop_map(|(host, port, weight, priority)| {
        json!({"host": host, "port": port, "weight": weight, "priority": priority})
    });
    let entry = (host(), port(), weight()).prop_map(|(host, port, weight)| {
        (host.to_owned() + &port.map(|port| format!(":{port}")).unwrap_or_default(), weight)
    });
    prop_oneof![
        4 => prop::collection::vec(node, 0..4).prop_map(Value::from),
        2 => prop::collection::vec(entry, 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        1 => Just(Value::Null),
    ]
}

fn upstream() -> impl Strategy<Value = Value> {
    let types =
        [json!(null), json!("roundrobin"), json!("chash"), json!("least_conn"), json!("ewma")];
    let checks =
        prop::sample::select(vec![json!(null), json!(null), json!({"active": {"type": "http"}})]);
    (nodes(), prop::sample::select(types.to_vec()), checks).prop_map(|(nodes, balancer, checks)| {
        json!({"checks": checks, "id": "1", "labels": {"a": ["\"[{", {"nodes": 1}]}, "nodes": nodes, "type": balancer})
    })
}

fn entries() -> impl Strategy<Value = Value> {
    let inline = (upstream(), prop::option::of(upstream())).prop_map(|(mut value, inline)| {
        value["upstream"] = inline.unwrap_or_default();
        value
    });
    let value = prop_oneof![upstream(), inline];
    let entry = value.prop_map(|value| json!({"key": "/apisix/routes/\\\"1", "value": value}));
    prop::collection::vec(entry, 0..4)
        .prop_map(|list| if list.is_empty() { json!({}) } else { list.into() })
}

fn discovery() -> impl Strategy<Value = Value> {
    let ports = prop::collection::btree_map("[a-z]{1,3}", nodes(), 0..3);
    let service = ports.prop_map(|ports| json!({"name": "a/b", "value": json!(ports).to_string()}));
    let services = prop::collection::vec(service, 0..3);
    let cluster = services.prop_map(|list| json!({"endpoints": list}));
    prop::collection::vec(cluster, 0..3)
        .prop_map(|list| json!({"config": {"token": "t"}, "endpoints": list}))
}

fn answer() -> impl Strategy<Value = (ControlApiPath, Value)> {
    prop_oneof![
        3 => (prop::sample::select(PATHS_OF_ENTRIES.to_vec()), entries()),
        1 => (Just(ControlApiPath::KubernetesDiscovery), discovery()),
    ]
}

fn some_wanted() -> impl Strategy<Value = HashSet<SocketAddr>> {
    let hosts = ["10.0.0.1", "10.0.0.2", "fd00::1"].map(|host| host.parse::<IpAddr>().unwrap());
    let all = hosts.map(|host| [80, 443, 8080].map(|port| SocketAddr::new(host, port)));
    subsequence(all.concat(), 0..=9).prop_map(HashSet::from_iter)
}

/// A stream that comes in pieces of this size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}

/// A change of a text: where, and what comes instead of how many bytes.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let signs = prop::sample::select(b"{}[]\",:\\0e-.n \xff".to_vec());
    let bytes = prop::collection::vec(prop_oneof![signs, any::<u8>()], 0..3);
    prop::collection::vec((any::<prop::sample::Index>(), 0..3usize, bytes), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_is_what_the_reference_finds(
        (path, answer) in answer(),
        wanted in some_wanted(),
        piece in 1..100usize,
    ) {
        for text in [answer.to_string(), serde_json::to_string_pretty(&answer).unwrap()] {
            let found = read_addresses(Pieces(text.as_bytes(), piece), path, &wanted);
            prop_assert_eq!(found.ok(), reference::found(&answer, path, &wanted), "{}", text);
        }
    }

    #[test]
    fn no_part_of_an_answer_is_an_answer(
        (path, answer) in answer(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = answer.to_string();
        let part = &text.as_bytes()[..cut.index(text.len())];
        prop_assert_eq!(read_addresses(part, path, &wanted()), Err(ControlApiError::Truncated));
    }

    #[test]
    fn a_changed_answer_is_survived(
        (path, answer) in answer(),
        changes in changes(),
        wanted in some_wanted(),
    ) {
        let mut text = answer.to_string().into_bytes();
        for (at, removed, inserted) in changes {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + removed);
            text.splice(at..end, inserted);
        }
        if let Ok(found) = read_addresses(&text[..], path, &wanted) {
            prop_assert!(found.is_subset(&wanted), "{found:?}");
        }
    }

    #[test]
    fn other_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for path in ControlApiPath::ALL {
            let _ = read_addresses(&bytes[..], path, &wanted());
        }
    }
}
