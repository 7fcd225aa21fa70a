//! Reviews that are made to cost as much as possible.

use std::fmt::Write;

use serde_json::json;

use crate::plan::review_of;

/// A little less than the largest body.
pub const SIZE: usize = 6_900_000;

/// A list that repeats `element` until it has the size of an attack.
pub fn list(element: &str) -> String {
    format!("[{}]", vec![element; SIZE / (element.len() + 1)].join(","))
}

/// A review of the Pod with these texts in it.
pub fn body(metadata: &str, spec: &str) -> String {
    let mut review = review_of(&json!("POD")).to_string();
    let pod = format!(r#"{{"metadata":{metadata},"spec":{spec}}}"#);
    let at = review.find(r#""POD""#).unwrap();
    review.replace_range(at..at + 5, &pod);
    review
}

pub fn spec(containers: &str) -> String {
    body("{}", &format!(r#"{{"containers":{containers}}}"#))
}

pub fn hook(hook: &str) -> String {
    spec(&format!(r#"[{{"name":"app","lifecycle":{{"preStop":{hook}}}}}]"#))
}

pub fn metadata(field: &str, value: &str) -> String {
    body(&format!(r#"{{"{field}":{value}}}"#), r#"{"containers":[{"name":"app"}]}"#)
}

pub fn annotation(key: &str, value: &str) -> String {
    metadata("annotations", &format!(r#"{{"apisix-prestop/{key}":"{value}"}}"#))
}

pub fn numbered(entry: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for i in 0.. {
        if text.len() > SIZE {
            break;
        }
        let _ = write!(text, "{}{}", if i == 0 { "" } else { "," }, entry(i));
    }
    text
}

pub const OWNER: &str = r#"{"kind":"ReplicaSet","name":"web","controller":true}"#;

/// The reviews that cost the most, with a name for each.
pub fn bodies() -> Vec<(&'static str, String)> {
    let record = "a=1,".repeat(SIZE / 4);
    let port = list(r#"{"containerPort":1}"#);
    vec![
        ("containers", spec(&list(r#"{"name":""}"#))),
        ("containers that are strings", spec(&list(r#""""#))),
        ("ports", spec(&format!(r#"[{{"name":"app","ports":{port}}}]"#))),
        ("words", hook(&format!(r#"{{"exec":{{"command":{}}}}}"#, list(r#""""#)))),
        ("owners", metadata("ownerReferences", &list(OWNER))),
        ("record", annotation("injected", &record)),
        ("delays", annotation("container-delays", &numbered(|i| format!("c{i}=1")))),
        ("white space", format!("{}{}", " ".repeat(SIZE), review_of(&json!({})))),
    ]
}

/// A review whose answer is as long as any: as many containers as are looked at.
pub fn long_answer() -> String {
    let name = |i: usize| format!("{i:03}{}", "x".repeat(60));
    let containers: Vec<_> =
        (0..250).map(|i| format!(r#"{{"name":"{}","image":"x"}}"#, name(i))).collect();
    spec(&format!("[{}]", containers.join(",")))
}
