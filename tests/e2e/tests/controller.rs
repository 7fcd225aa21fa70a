//! The rules of version 1.8 beside the real ingress controller: what it programs for the cases of
//! tests/upstreams equals what we say.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};
use apisix_prestop::upstreams::{Kind, TargetKind, Version};
use apisix_prestop_e2e::{
    command::{run, run_with_input},
    gateway::{self, ROUTED},
    image::fixtures_image,
};
use kube::Client;
use serde_json::{Value, json};
use support::{
    eventually,
    upstreams::{UpstreamCase, all},
};

/// How long the controller takes for all cases, which come at once.
const LIMIT: Duration = Duration::from_secs(300);

/// The namespaces of a case. Each case has its own: the controller remembers what is deleted.
fn renamed(text: &str, number: usize) -> String {
    let word = |c: char| !c.is_ascii_alphanumeric();
    let mut renamed = String::new();
    for part in text.split_inclusive(word) {
        let (name, rest) = match part.char_indices().next_back() {
            Some((last, c)) if word(c) => part.split_at(last),
            _ => (part, ""),
        };
        renamed += name;
        if ["shop", "pay"].contains(&name) {
            renamed += &format!("-{number}");
        }
        renamed += rest;
    }
    renamed
}

/// The objects of a case, as this cluster takes them.
fn objects(case: &UpstreamCase, number: usize) -> Vec<Value> {
    let objects = Value::Array(case.objects(Version::V1_8)).to_string();
    let mut objects: Vec<Value> = serde_json::from_str(&renamed(&objects, number)).unwrap();
    // Version 1.8 reads no IngressClass, and one of these may exist only once.
    objects.retain(|object| object["kind"] != "IngressClass");
    objects.retain(|object| object["kind"] != "BackendTrafficPolicy");
    // What no route of the case needs only costs time.
    let is_part = |object: &Value| object["kind"] == "Namespace" || object["kind"] == "Service";
    let other_namespace = format!("pay-{number}");
    let needs = |text: &str| {
        let mut others = objects.iter().filter(|object| !is_part(object));
        others.any(|object| object.to_string().contains(text))
    };
    let (needs_other, needs_gateway) = (needs(&other_namespace), needs("parentRefs"));
    objects.retain(|object| {
        let metadata = &object["metadata"];
        let names = [&metadata["namespace"], &metadata["name"]];
        (needs_other || !names.iter().any(|name| **name == *other_namespace))
            && (needs_gateway || object["kind"] != "Gateway")
    });
    for object in &mut objects {
        if object["kind"] == "Namespace" {
            let (key, value) = ROUTED.split_once(": ").unwrap();
            object["metadata"]["labels"][key] = value.into();
        }
        // The controller gives each port to one listener, and never takes it back.
        if object["kind"] == "Gateway" {
            let listeners = object["spec"]["listeners"].as_array_mut().unwrap();
            for (place, listener) in listeners.iter_mut().enumerate() {
                listener["port"] = json!(20_000 + 20 * number + place);
            }
        }
    }
    objects
}

async fn apply(objects: &[Value]) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    run_with_input("kubectl", &["apply", "--server-side", "-f", "-"], &list).await?;
    Ok(())
}

/// The Services that the controller has programmed, by the namespaces of the cases.
async fn programmed(client: &Client) -> Result<BTreeSet<String>> {
    let names = gateway::upstreams(client).await?;
    // NAMESPACE_SERVICE_PORT, with a subset and a granularity in between.
    let services = names.iter().filter_map(|name| {
        let mut parts = name.split('_');
        let (namespace, service) = (parts.next()?, parts.next()?);
        parts.next().map(|_| format!("{namespace}/{service}"))
    });
    Ok(services.collect())
}

/// The Services of a case that are targets, as far as the controller's endpoints go.
fn expected(case: &UpstreamCase, number: usize) -> BTreeSet<String> {
    let targets = case.expected(Version::V1_8).iter();
    let direct = targets.filter(|(_, target)| **target == TargetKind::Upstream);
    direct.map(|(name, _)| renamed(name, number)).collect()
}

/// Waits until the controller has programmed what we say, and nothing else.
async fn await_programmed(client: &Client, cases: &[(usize, UpstreamCase)]) -> Result<()> {
    eventually("the controller to program all cases", LIMIT, async || {
        let programmed = programmed(client).await?;
        let mut wrong = Vec::new();
        for (number, case) in cases {
            let namespaces = [format!("shop-{number}/"), format!("pay-{number}/")];
            let of_case = |name: &&String| namespaces.iter().any(|it| name.starts_with(it));
            let found: BTreeSet<_> = programmed.iter().filter(of_case).cloned().collect();
            let mut expected = expected(case, *number);
            if case.not_programmed.is_some() {
                expected.clear();
            }
            if found != expected {
                wrong.push(format!("{}: we say {expected:?}, it programs {found:?}", case.name));
            }
        }
        ensure!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn what_the_controller_programs_is_what_we_say() -> Result<()> {
    let client = Client::try_default().await?;
    let image = fixtures_image()?;
    gateway::install(&client, &image).await?;
    let cases = all().into_iter().filter(UpstreamCase::has_default_controller);
    let cases: Vec<_> = cases.filter(|case| case.not_on_controller.is_none()).enumerate().collect();
    let objects: Vec<_> = cases.iter().flat_map(|(number, case)| objects(case, *number)).collect();
    let first = ["Namespace", "GatewayClass"];
    let is_first = |object: &Value| first.iter().any(|kind| object["kind"] == *kind);
    let (first, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_first);
    apply(&first).await?;
    // It forgets a Gateway whose class it does not know.
    run("kubectl", &["wait", "--for=condition=Accepted", "gatewayclass/apisix", "--timeout=60s"])
        .await?;
    // What a route refers to comes before it: the controller does not look for it again soon. And it
    // forgets a route of the Gateway API in a namespace that it does not watch yet, but no other one.
    let is_gateway_route = |object: &Value| {
        object["kind"]
            .as_str()
            .and_then(|kind| kind.parse().ok())
            .is_some_and(Kind::is_gateway_route)
    };
    let is_before = |object: &Value| object["kind"] == "Service";
    let (services, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_before);
    let (of_gateways, rest): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .partition(|object| is_gateway_route(object) || object["kind"] == "Gateway");
    apply(&services).await?;
    apply(&rest).await?;
    let has_gateway_route =
        |case: &UpstreamCase| case.objects(Version::V1_8).iter().any(is_gateway_route);
    let (gateway_cases, other_cases): (Vec<_>, Vec<_>) =
        cases.iter().cloned().partition(|(_, case)| has_gateway_route(case));
    let mut compared = await_programmed(&client, &other_cases).await;
    if compared.is_ok() {
        let (routes, gateways): (Vec<_>, Vec<_>) =
            of_gateways.into_iter().partition(is_gateway_route);
        apply(&gateways).await?;
        apply(&routes).await?;
        compared = await_programmed(&client, &gateway_cases).await;
    }
    let namespaces: Vec<_> = cases
        .iter()
        .flat_map(|(number, _)| [format!("shop-{number}"), format!("pay-{number}")])
        .collect();
    let mut delete = vec!["delete", "namespace", "--wait=false", "--ignore-not-found"];
    delete.extend(namespaces.iter().map(String::as_str));
    run("kubectl", &delete).await?;
    run("kubectl", &["delete", "gatewayclass", "apisix", "envoy"]).await?;
    compared?;
    let refused = cases.iter().filter(|(_, case)| case.not_programmed.is_some()).count();
    println!(
        "the controller programs what we say in {} cases; in {refused} it programs nothing, for a \
         reason of its own",
        cases.len() - refused
    );
    Ok(())
}
