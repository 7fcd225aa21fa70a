//! An EndpointSlice, as far as it says which Pods are ready.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use serde::Deserialize;

use super::pod_id::PodId;
use crate::constants::{MAX_ENDPOINT_ADDRESSES, MAX_ENDPOINT_PORTS, MAX_ENDPOINTS_OF_A_SLICE};

/// Label of an EndpointSlice: its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// An EndpointSlice, as far as it says which Pods are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSlice {
    /// The name of the Service.
    pub service: String,
    /// The Pods that are ready, and where.
    pub ready: BTreeMap<PodId, BTreeSet<SocketAddr>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SliceText {
    metadata: SliceMetadata,
    endpoints: Option<Vec<Endpoint>>,
    ports: Option<Vec<EndpointPort>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SliceMetadata {
    namespace: String,
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint {
    addresses: Vec<String>,
    conditions: EndpointConditions,
    target_ref: Option<TargetReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TargetReference {
    kind: String,
    name: String,
    uid: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndpointPort {
    port: Option<u16>,
}

impl EndpointSlice {
    /// Reads an EndpointSlice. One that cannot be read has no Pods.
    pub fn read(text: &str) -> Self {
        let SliceText { mut metadata, endpoints, ports } =
            serde_json::from_str(text).unwrap_or_default();
        let service = metadata.labels.remove(SERVICE_NAME).unwrap_or_default();
        let ports = ports.unwrap_or_default();
        let ports = || ports.iter().filter_map(|it| it.port).take(MAX_ENDPOINT_PORTS);
        let mut ready = BTreeMap::<_, BTreeSet<_>>::new();
        for endpoint in endpoints.into_iter().flatten().take(MAX_ENDPOINTS_OF_A_SLICE) {
            // Without a condition an endpoint is ready, says the API; only this one counts for the
            // ingress controller of APISIX.
            let is_ready = endpoint.conditions.ready.unwrap_or(true);
            let Some(pod) = endpoint.target_ref.filter(|it| is_ready && it.kind == "Pod") else {
                continue;
            };
            let pod = PodId::new(&metadata.namespace, &pod.name, &pod.uid);
            let addresses = endpoint.addresses.iter().take(MAX_ENDPOINT_ADDRESSES);
            let addresses = addresses.filter_map(|address| address.parse::<IpAddr>().ok());
            let addresses = addresses.flat_map(|ip| ports().map(move |it| SocketAddr::new(ip, it)));
            ready.entry(pod).or_default().extend(addresses);
        }
        ready.retain(|_, addresses| !addresses.is_empty());
        Self { service, ready }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn slice(endpoint: &Value, ports: &Value) -> Value {
        json!({
            "metadata": {"namespace": "shop", "labels": {SERVICE_NAME: "web"}},
            "addressType": "IPv4", "endpoints": [endpoint], "ports": ports,
        })
    }

    fn pod() -> Value {
        json!({"kind": "Pod", "namespace": "shop", "name": "web-0", "uid": "u"})
    }

    #[rstest]
    #[case::ready(json!({"ready": true}), &["10.0.0.1:80"])]
    #[case::ready_without_a_condition(json!({}), &["10.0.0.1:80"])]
    #[case::not_ready(json!({"ready": false, "serving": true, "terminating": true}), &[])]
    fn only_ready_counts(#[case] conditions: Value, #[case] expected: &[&str]) {
        let endpoint =
            json!({"addresses": ["10.0.0.1"], "conditions": conditions, "targetRef": pod()});
        assert_eq!(addresses(&slice(&endpoint, &json!([{"port": 80}]))), expected);
    }

    #[rstest]
    #[case::two_ports(json!([{"port": 80}, {"port": 81}]), &["10.0.0.1:80", "10.0.0.1:81"])]
    #[case::no_port(json!([]), &[])]
    #[case::null(json!(null), &[])]
    #[case::any_port(json!([{"port": null}]), &[])]
    fn each_port_is_an_address(#[case] ports: Value, #[case] expected: &[&str]) {
        let endpoint = json!({"addresses": ["10.0.0.1"], "targetRef": pod()});
        assert_eq!(addresses(&slice(&endpoint, &ports)), expected);
    }

    #[rstest]
    #[case::not_a_pod(json!({"addresses": ["10.0.0.1"], "targetRef": {"kind": "Node", "name": "n"}}))]
    #[case::no_target(json!({"addresses": ["10.0.0.1"]}))]
    #[case::a_name(json!({"addresses": ["web.example"], "targetRef": pod()}))]
    #[case::wrong_type(json!({"addresses": "10.0.0.1", "targetRef": pod()}))]
    fn what_is_no_pod_with_an_address_does_not_count(#[case] endpoint: Value) {
        let none: [&str; 0] = [];
        assert_eq!(addresses(&slice(&endpoint, &json!([{"port": 80}]))), none);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let ports: Vec<_> = (0..1000).map(|port| json!({"port": port + 1})).collect();
        let ips: Vec<_> = (0..1000).map(|i| format!("10.0.{}.{}", i / 250, i % 250)).collect();
        let endpoint = json!({"addresses": ips, "targetRef": pod()});
        let kept = addresses(&slice(&endpoint, &json!(ports))).len();
        assert_eq!(kept, MAX_ENDPOINT_ADDRESSES * MAX_ENDPOINT_PORTS);
        let many: Vec<_> = (0..MAX_ENDPOINTS_OF_A_SLICE + 1)
            .map(|i| {
                let pod = json!({"kind": "Pod", "name": format!("web-{i}"), "uid": i.to_string()});
                json!({"addresses": ["10.0.0.1"], "targetRef": pod})
            })
            .collect();
        let text = json!({"endpoints": many, "ports": [{"port": 80}]}).to_string();
        assert_eq!(EndpointSlice::read(&text).ready.len(), MAX_ENDPOINTS_OF_A_SLICE);
    }

    fn addresses(slice: &Value) -> Vec<String> {
        let slice = EndpointSlice::read(&slice.to_string());
        slice.ready.values().flatten().map(ToString::to_string).collect()
    }
}
