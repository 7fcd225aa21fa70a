//! `apisix-prestop upstreams`: the real binary.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use super::manifests::{Run, run};

const SHOP: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: queue, namespace: shop}
spec: {selector: {app: queue}, publishNotReadyAddresses: true}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: queue, namespace: shop}
spec: {template: {metadata: {labels: {app: queue}}, spec: {containers: [{name: app}]}}}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: apisix}
spec: {controller: apisix.apache.org/apisix-ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: apisix.apache.org/v2
kind: ApisixRoute
metadata: {name: web, namespace: shop}
spec: {ingressClassName: apisix, http: [{name: all, backends: [{serviceName: web, servicePort: 80, resolveGranularity: service}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: legacy, namespace: shop}
spec: {ingressClassName: nginx, rules: [{http: {paths: [{backend: {service: {name: queue}}}]}}]}
"#;

fn upstreams(flags: &[&str], stdin: &str) -> Run {
    run(&[&["upstreams", "-f", "-"], flags].concat(), stdin)
}

#[test]
fn the_tables_say_what_is_a_target_and_why() {
    let run = upstreams(&[], SHOP);
    let expected = "\
SERVICE     TARGET    ROUTES                    LIMITS
shop/queue  none      -                         -
shop/web    upstream  ApisixRoute shop/web#all  cluster_ip

WORKLOAD               TARGET    SERVICES
Deployment shop/queue  none      queue
Deployment shop/web    upstream  web

ROUTE                 OWNED  WHY
Ingress shop/legacy   no     IngressClass nginx belongs to k8s.io/ingress-nginx
ApisixRoute shop/web  yes    IngressClass apisix belongs to apisix.apache.org/apisix-ingress-controller

cluster_ip: resolveGranularity: service: kube-proxy chooses the Pod, and a sleep covers only its delay
";
    assert_eq!((&*run.stdout, &*run.stderr, run.code), (expected, "", 0));
}

#[test]
fn the_json_has_the_same_for_programs() {
    let run = upstreams(&["--output", "json"], SHOP);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = json!({
        "services": [
            {"namespace": "shop", "name": "queue", "exists": true, "target": "none", "routes": [], "limits": []},
            {"namespace": "shop", "name": "web", "exists": true, "target": "upstream",
                "routes": ["ApisixRoute shop/web#all"], "limits": ["cluster_ip"]},
        ],
        "workloads": [
            {"kind": "Deployment", "namespace": "shop", "name": "queue", "target": "none", "services": ["queue"]},
            {"kind": "Deployment", "namespace": "shop", "name": "web", "target": "upstream", "services": ["web"]},
        ],
        "routes": [
            {"kind": "Ingress", "namespace": "shop", "name": "legacy", "owned": false,
                "why": "IngressClass nginx belongs to k8s.io/ingress-nginx", "refused": [], "limits": []},
            {"kind": "ApisixRoute", "namespace": "shop", "name": "web", "owned": true,
                "why": "IngressClass apisix belongs to apisix.apache.org/apisix-ingress-controller",
                "refused": [], "limits": []},
        ],
    });
    assert_eq!(report, expected, "{report:#}");
}

/// The order of the objects does not matter, nor whether they are items of a list.
#[test]
fn a_list_in_any_order_says_the_same() {
    let documents = SHOP.split("---\n").map(|it| serde_saphyr::from_str(it).unwrap());
    let mut documents: Vec<Value> = documents.collect();
    documents.reverse();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string();
    assert_eq!(upstreams(&[], &list).stdout, upstreams(&[], SHOP).stdout);
}

#[rstest]
#[case::broken("a: [\n", "skipped: stdin:1: document 1: ")]
#[case::another_version(
    "apiVersion: apisix.apache.org/v2beta3\nkind: ApisixRoute\nmetadata: {name: old}\n",
    "skipped: stdin:1: ApisixRoute v2beta3: only v2 is read\n"
)]
#[case::no_name("apiVersion: v1\nkind: Service\n", "skipped: stdin:1: Service without a name\n")]
#[case::wrong_type(
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: [web]}\n",
    "skipped: stdin:1: Service web: spec.selector: invalid type: sequence, expected a map\n"
)]
#[case::wrong_label(
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {a: 1}}\n",
    "skipped: stdin:1: Service web: metadata.labels.a: invalid type: integer `1`, expected a string\n"
)]
fn what_cannot_be_read_is_named_and_left_out(#[case] document: &str, #[case] message: &str) {
    let text = format!("{SHOP}---\n");
    let whole = upstreams(&[], &text);
    assert_eq!(whole.stderr, "");
    let run = upstreams(&[], document);
    assert!(run.stderr.starts_with(message), "expected {message:?}, got {:?}", run.stderr);
    assert_eq!((&*run.stdout, run.code), ("no Services, workloads or routes\n", 0));
}

#[test]
fn a_broken_file_costs_only_itself() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), "kind: [\n").unwrap();
    fs::write(directory.path().join("b.yaml"), SHOP).unwrap();
    let path = directory.path().to_str().unwrap();
    let run = run(&["upstreams", "-f", path], "");
    assert!(run.stderr.contains("a.yaml:1: document 1: "), "{}", run.stderr);
    assert_eq!((run.stdout, run.code), (upstreams(&[], SHOP).stdout, 0));
}

#[rstest]
#[case::no_file(&["upstreams"], "--filename <FILE|DIR|->")]
#[case::missing_file(&["upstreams", "-f", "/missing"], "error: /missing: No such file")]
#[case::format(&["upstreams", "-f", "-", "-o", "xml"], "invalid value 'xml' for '--output <FORMAT>'")]
#[case::version(&["upstreams", "-f", "-", "--apisix-version", "1.9"], "[possible values: auto, 1.8, 2]")]
fn a_wrong_call_is_one_of_usage(#[case] args: &[&str], #[case] message: &str) {
    let run = run(args, "");
    assert!(run.stderr.contains(message), "expected {message:?}, got {:?}", run.stderr);
    assert_eq!((&*run.stdout, run.code), ("", 2));
}

#[test]
fn nothing_in_a_manifest_steers_the_terminal() {
    let manifest =
        SHOP.replace("name: queue, namespace: shop", "name: \"q\\e[31m\\n\", namespace: shop");
    let run = upstreams(&[], &manifest);
    assert!(run.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.stdout);
}
