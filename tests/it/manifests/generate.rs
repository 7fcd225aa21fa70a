//! Manifests as people write them, in many spellings.

use proptest::prelude::*;

/// A document, and whether `inject` has any business in it.
#[derive(Clone, Debug)]
pub struct Document {
    pub text: String,
    pub has_pods: bool,
}

/// What the whole file has in common.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub crlf: bool,
    pub final_newline: bool,
    pub byte_order_mark: bool,
}

/// A file of one to four documents.
pub fn file() -> impl Strategy<Value = (Vec<Document>, Layout)> {
    let layout = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(crlf, final_newline, byte_order_mark)| Layout { crlf, final_newline, byte_order_mark },
    );
    (prop::collection::vec(document(), 1..5), layout)
}

/// The text of a file.
pub fn text((documents, layout): &(Vec<Document>, Layout)) -> String {
    let documents: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
    let mut text = documents.join("---\n");
    if layout.byte_order_mark {
        text.insert(0, '\u{feff}');
    }
    if !layout.final_newline {
        text.truncate(text.trim_end_matches('\n').len());
    }
    if layout.crlf { text.replace('\n', "\r\n") } else { text }
}

fn document() -> impl Strategy<Value = Document> {
    prop_oneof![
        4 => template().prop_map(|template| workload("apps/v1", "Deployment", &template)),
        2 => template().prop_map(|template| workload("batch/v1", "Job", &template)),
        3 => template().prop_map(|template| pod(&template)),
        2 => prop::collection::vec(template(), 1..3).prop_map(|templates| list(&templates)),
        2 => select(&[
            "# nothing here\n",
            "",
            "kind:   ConfigMap\ndata: { a: 'b',   c: \"d\" } # as it is\n\n\n",
            "apiVersion: x/v1\nkind: Set\nspec: &s {template: {spec: {containers: [{name: a}]}}}\nagain: *s\n",
            "- just\n-   a list\n",
            "kind: Secret\nstringData:\n  script: |+\n    x\n\n\n",
        ]).prop_map(|text| Document { text: text.to_owned(), has_pods: false }),
    ]
}

fn select(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(texts)
}

/// The lines of a Pod template, metadata and spec, not indented.
fn template() -> impl Strategy<Value = String> {
    let metadata = select(&[
        "",
        "metadata:\n  labels:\n    app: web # the app\n",
        "metadata:\n  annotations:\n    a: b\n    # more\n",
        "metadata: {annotations: {a: \"b\"}, labels: {app: web}}\n",
        "metadata:\n  labels: {app: web}\n  annotations: {}\n",
        "metadata:\n  annotations:\n    apisix-prestop/delay: 25s\n\n",
        "metadata: { labels: { app: web } , } # odd\n",
        "metadata:\n  labels: &labels\n    app: web\n  x: *labels\n",
    ]);
    let grace = select(&[
        "",
        "  terminationGracePeriodSeconds: 3 # short\n",
        "  terminationGracePeriodSeconds: 60\n",
        "  \"terminationGracePeriodSeconds\": 14\n",
    ]);
    let tail = select(&["", "  restartPolicy: Always\n", "\n  # end\n  volumes: []\n\n"]);
    let containers = (prop::collection::vec(container(), 1..4), any::<bool>(), any::<bool>());
    (metadata, grace, tail, containers, any::<bool>()).prop_map(
        |(metadata, grace, tail, (containers, is_deep, is_wide), spec_first)| {
            let dash = format!(
                "{}-{}",
                if is_deep { "    " } else { "  " },
                if is_wide { "   " } else { " " }
            );
            let mut spec = format!("spec: # s\n{grace}  containers:\n");
            for (index, container) in containers.iter().enumerate() {
                let container = container.replace("NAME", &format!("c{index}"));
                let below = " ".repeat(dash.len());
                let container = indented(&container, &below);
                spec.push_str(&format!("{dash}{}", container.trim_start_matches(' ')));
            }
            spec.push_str(tail);
            if spec_first { format!("{spec}{metadata}") } else { format!("{metadata}{spec}") }
        },
    )
}

/// The lines of a container, not indented. The first is never empty.
fn container() -> impl Strategy<Value = String> {
    let head = select(&[
        "name: NAME\n",
        "image: x # NAME\nname: NAME\n",
        "\"name\": 'NAME'\n",
        "name:\n  NAME\n",
    ]);
    let lifecycle = select(&[
        "",
        "",
        "lifecycle: {}\n",
        "lifecycle: { } # nothing\n",
        "lifecycle: {postStart: {exec: {command: [x]}}}\n",
        "lifecycle:\n  # after the start\n  postStart:\n    exec:\n      command:\n      - x\n",
        "lifecycle:\n  preStop: # own\n    httpGet: {port: 80} # hook\n",
        "lifecycle:\n  preStop:\n    # sleep\n    sleep: {seconds: 9}\n",
    ]);
    let tail = select(&[
        "",
        "command:\n- sh\n- |\n  a\n\n  b\n",
        "command:\n  - |-\n    a\n\n",
        "args:\n- |+\n  a\n\n\n",
        "args:\n- >-\n  a\n  b\n\n# behind\n",
        "args: [a,\n  b,   # two\n]\n",
        "args: [\"a\n  b\"]\n",
        "args:\n- a\n  b c\n",
        "env: [ {name: A, value: \"ü → 🚀\"} ]\n",
        "resources: {limits: {cpu: 1, }, }\n",
        "tty:\n",
    ]);
    let block = (head, lifecycle, tail)
        .prop_map(|(head, lifecycle, tail)| format!("{head}{lifecycle}{tail}"));
    let flow = select(&[
        "{name: NAME}\n",
        "{ \"name\":\"NAME\",\"image\":\"x\" }   # flow\n",
        "{name: NAME, lifecycle: {}}\n",
        "{\n  name: NAME,\n  tty: true,\n}\n",
        "{name: NAME, stdin}\n",
    ]);
    prop_oneof![4 => block, 1 => flow.prop_map(str::to_owned)]
}

fn indented(text: &str, by: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.map(|line| if line == "\n" { line.to_owned() } else { format!("{by}{line}") }).collect()
}

fn workload(version: &str, kind: &str, template: &str) -> Document {
    let template = indented(template, "    ");
    let text = format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web}}\nspec:\n  template:\n{template}"
    );
    Document { text, has_pods: true }
}

fn pod(template: &str) -> Document {
    Document { text: format!("kind: Pod\napiVersion: v1\n{template}"), has_pods: true }
}

fn list(templates: &[String]) -> Document {
    let pods = templates.iter().map(|template| {
        let pod = indented(&pod(template).text, "  ");
        format!("-{}", &pod[1..])
    });
    let text = format!("kind: List\napiVersion: v1\nitems:\n{}", pods.collect::<String>());
    Document { text, has_pods: true }
}
