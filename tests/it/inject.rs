//! `inject` and `uninject`: odd files as a truth table, properties, and the real binary.

use std::{fs, path::Path};

use super::manifests::{Run, generate, inject, policy, run, uninject};
use apisix_prestop::manifests::{
    ApplyOptions, ChangedSource, Format, ManifestSource, Operation, ReadSource, apply,
};
use proptest::prelude::*;
use rstest::rstest;

fn source(text: &str) -> ReadSource {
    Ok(ManifestSource::of("web.yaml", text))
}

/// The text and the report after `inject`.
fn injected(text: &str) -> (String, String) {
    let (changed, report) =
        apply(vec![source(text)], &Operation::Inject(policy()), ApplyOptions::default())
            .unwrap_or_else(|error| panic!("{error}, from:\n{text}"));
    (changed[0].after().to_owned(), report.to_string())
}

/// What `inject` says when it refuses.
fn refused(text: &str) -> String {
    match apply(vec![source(text)], &Operation::Inject(policy()), ApplyOptions::default()) {
        Ok((changed, _)) => panic!("expected an error, got:\n{}", changed[0].after()),
        Err(error) => error.to_string(),
    }
}

/// Both sides of a diff whose lines begin with ` `, `-` or `+`.
fn sides(diff: &str) -> (String, String) {
    let side = |other: char| {
        let lines = diff.lines().skip(1).filter(|line| !line.starts_with(other));
        lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
    };
    (side('+'), side('-'))
}

/// How the same file may come.
#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Crlf,
    ByteOrderMark,
    NoFinalNewline,
}

impl Form {
    fn of(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Crlf => text.replace('\n', "\r\n"),
            Self::ByteOrderMark => format!("\u{feff}{text}"),
            Self::NoFinalNewline => text.strip_suffix('\n').unwrap_or(text).to_owned(),
        }
    }
}

/// Each case is a diff, of a file as it comes and as `inject` leaves it. `uninject` leads back.
#[rstest]
#[case::labels_shared_by_an_anchor(
    r#"
 apiVersion: apps/v1
 kind: Deployment
 metadata:
   name: web
   labels: &labels {app: web}
 spec:
   selector:
     matchLabels: *labels
   template:
     metadata:
       labels: *labels
+      annotations:
+        apisix-prestop/injected: "app=5s"
     spec:
       containers:
         - name: app
           image: x
+          lifecycle:
+            preStop:
+              sleep:
+                seconds: 5
"#
)]
#[case::names_shared_by_an_anchor(
    r#"
 apiVersion: apps/v1
 kind: StatefulSet
 metadata:
   name: &name web
 spec:
   serviceName: *name
   template:
     metadata:
       name: *name
+      annotations:
+        apisix-prestop/injected: "web=5s"
     spec:
       containers:
       - image: x
         name: *name
+        lifecycle:
+          preStop:
+            sleep:
+              seconds: 5
"#
)]
#[case::both_uses_of_a_template_change_alike(
    r#"
 apiVersion: v1
 kind: List
 items:
 - apiVersion: apps/v1
   kind: Deployment
   metadata: {name: blue}
   spec:
     template: &template
       metadata:
         labels: {app: web}
+        annotations:
+          apisix-prestop/injected: "app=5s"
       spec:
         containers:
         - name: app
           image: x
+          lifecycle:
+            preStop:
+              sleep:
+                seconds: 5
 - apiVersion: apps/v1
   kind: Deployment
   metadata: {name: green}
   spec:
     template: *template
"#
)]
#[case::a_merged_lifecycle_is_overridden_and_not_changed(
    r#"
 apiVersion: v1
 kind: Pod
-metadata: {name: web}
+metadata: {name: web, annotations: {apisix-prestop/injected: "app=5s"}}
 x-base: &base
   image: x
 spec:
   containers:
   - <<: *base
     name: app
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"#
)]
#[case::flow_style(
    r#"
 # one line
-{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: app, image: x}, {name: b, image: x, lifecycle: {}}]}} # end
+{apiVersion: v1, kind: Pod, metadata: {name: web, annotations: {apisix-prestop/injected: "app=5s,b=5s{}"}}, spec: {containers: [{name: app, image: x, lifecycle: {preStop: {sleep: {seconds: 5}}}}, {name: b, image: x, lifecycle: {preStop: {sleep: {seconds: 5}}}}]}} # end
"#
)]
#[case::flow_style_over_several_lines_with_comments_and_commas(
    r#"
 apiVersion: v1
 kind: Pod
-metadata: { name: web, }
+metadata: { name: web, annotations: {apisix-prestop/injected: "app=5s"}, }
 spec: {
   containers: [
     {
       name: app, # the name
       image: x,  # the image
+      lifecycle: {preStop: {sleep: {seconds: 5}}},
     },
   ],
 }
"#
)]
#[case::a_comment_behind_the_last_entry_in_brackets(
    r#"
 apiVersion: v1
 kind: Pod
-metadata: {name: web}
+metadata: {name: web, annotations: {apisix-prestop/injected: "app=5s"}}
 spec:
   containers:
   - {
       name: app,
-      image: x # the image, pinned
+      image: x, # the image, pinned
+      lifecycle: {preStop: {sleep: {seconds: 5}}}
     }
"#
)]
#[case::quoted_keys_in_brackets(
    r#"
 apiVersion: v1
 kind: Pod
-metadata: {"name": "web"}
+metadata: {"name": "web", "annotations": {"apisix-prestop/injected": "app=5s"}}
 spec:
   containers:
-  - {"name": "app", "image": "x"}
+  - {"name": "app", "image": "x", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
"#
)]
#[case::metadata_before_spec_in_brackets(
    r#"
 kind: Deployment
 apiVersion: apps/v1
 spec:
-  template: {spec: {containers: [{name: app, image: x}]}}
+  template: {metadata: {annotations: {apisix-prestop/injected: "app=5s"}}, spec: {containers: [{name: app, image: x, lifecycle: {preStop: {sleep: {seconds: 5}}}}]}}
"#
)]
#[case::metadata_before_spec_in_a_list(
    r#"
 kind: PodList
 apiVersion: v1
 items:
-- spec:
+- metadata:
+    annotations:
+      apisix-prestop/injected: "app=5s"
+  spec:
     containers:
     - name: app
       image: x
+      lifecycle:
+        preStop:
+          sleep:
+            seconds: 5
"#
)]
#[case::metadata_before_spec_in_json(
    r#"
 {
   "kind": "PodTemplate",
   "apiVersion": "v1",
   "template": {
+    "metadata": {
+      "annotations": {
+        "apisix-prestop/injected": "app=5s"
+      }
+    },
     "spec": {
       "containers": [
         {
           "name": "app",
-          "image": "x"
+          "image": "x",
+          "lifecycle": {
+            "preStop": {
+              "sleep": {
+                "seconds": 5
+              }
+            }
+          }
         }
       ]
     }
   }
 }
"#
)]
#[case::a_byte_order_mark_before_the_second_document(
    "
 kind: ConfigMap
 apiVersion: v1
 ---
 \u{feff}kind: Pod
 apiVersion: v1
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: \"app=5s\"
 spec:
   containers:
   - name: app
     image: x
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"
)]
#[case::two_merge_keys(
    r#"
 apiVersion: v1
 kind: Pod
 x-image: &image {image: x}
 x-args: &args {args: [a]}
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
 spec:
   containers:
   - <<: *image
     <<: *args
     name: app
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"#
)]
#[case::a_duplicate_key_of_which_the_last_counts(
    r#"
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s; grace 3s→15s"
 spec:
   terminationGracePeriodSeconds: 90
   containers:
   - name: app
     image: x
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
-  terminationGracePeriodSeconds: 3
+  terminationGracePeriodSeconds: 15
"#
)]
#[case::a_folded_scalar_at_the_end(
    r#"
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
 spec:
   containers:
   - name: app
     image: x
     args:
     - >-
       first
       second
 
       third
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"#
)]
#[case::a_literal_that_keeps_its_empty_lines(
    r#"
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
 spec:
   containers:
   - name: app
     image: x
     args:
     - |+
       text
 
 
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
   restartPolicy: Always
"#
)]
#[case::comments_everywhere(
    r#"
 # head
 apiVersion: v1 # version
 kind: Pod
 metadata: # meta
   name: web # name
+  annotations:
+    apisix-prestop/injected: "app=5s; grace 10s→15s"
   # behind the name
 
 spec: # spec
   # in front of the grace period
-  terminationGracePeriodSeconds: 10 # short
+  terminationGracePeriodSeconds: 15 # short
   containers: # containers
     # in front of app
     - name: app # app
       image: x # image
+      lifecycle:
+        preStop:
+          sleep:
+            seconds: 5
       # behind app
     # foot
 # end
"#
)]
#[case::comments_inside_a_pre_stop_hook_that_is_there(
    r#"
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=7s"
 spec:
   containers:
     - name: own
       image: x
       lifecycle:
         # ours, since 2019
         preStop: # do not touch
           exec:
             # wait
             command: [sleep, "7"] # seconds
     - name: app
       image: x
       lifecycle:
         postStart: {exec: {command: [x]}} # before
+        preStop:
+          sleep:
+            seconds: 7
"#
)]
#[case::document_ends_and_empty_documents(
    r#"
 %YAML 1.1
 ---
 # nothing
 ---
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
 spec:
   containers:
   - name: app
     image: x
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
 ...
 ---
 ---
 kind:   ConfigMap
 data: { a: 'b',   c: "d" }
 ...
 ---
"#
)]
#[case::a_template_without_metadata(
    r#"
 apiVersion: argoproj.io/v1alpha1
 kind: Rollout
 metadata:
   name: web
 spec:
   template:
+    metadata:
+      annotations:
+        apisix-prestop/injected: "app=5s"
     spec:
       containers:
       - name: app
         image: x
+        lifecycle:
+          preStop:
+            sleep:
+              seconds: 5
   strategy: {}
"#
)]
#[case::a_grace_period_that_was_not_there(
    r#"
 apiVersion: v1
 kind: PodTemplate
 metadata:
   name: web
 template:
   metadata:
     annotations:
       apisix-prestop/delay: 25s
+      apisix-prestop/injected: "app=25s; grace unset→35s"
   spec:
     containers:
     - name: app
       image: x
+      lifecycle:
+        preStop:
+          sleep:
+            seconds: 25
+    terminationGracePeriodSeconds: 35
"#
)]
#[case::a_list_of_a_kind_whose_items_do_not_say_it(
    r#"
 kind: PodList
 apiVersion: v1
 items:
   -   metadata:
         name: web
+        annotations:
+          apisix-prestop/injected: "app=5s"
       spec:
         containers:
           -
             name: app
             image: x
+            lifecycle:
+              preStop:
+                sleep:
+                  seconds: 5
"#
)]
#[case::quoted_and_explicit_keys(
    r#"
 "apiVersion": 'v1'
 ? kind
 : "Pod"
 'metadata':
   "name": web
+  annotations:
+    apisix-prestop/injected: "app=5s"
 "spec" :
   "containers":
   - "name": "app"
     "image": x
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"#
)]
#[case::text_in_other_scripts(
    r#"
 apiVersion: v1 # größer 🚀
 kind: Pod
 metadata:
   name: web
-  annotations: {team: "привет", 日本: 語}
+  annotations: {team: "привет", 日本: 語, apisix-prestop/injected: "app=5s"}
   # 中文
 spec:
   containers:
   - name: app # ünï
     image: x
     env: [{name: A, value: "é"}] # é
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"#
)]
#[case::json(
    r#"
 {
     "apiVersion": "v1",
     "kind": "Pod",
     "metadata": {
-        "name": "web"
+        "name": "web",
+        "annotations": {
+            "apisix-prestop/injected": "app=5s"
+        }
     },
     "spec": {
         "containers": [
             {
                 "name": "app",
                 "image": "x",
-                "env": [{"name": "A", "value": "\u00e9\/"}]
+                "env": [{"name": "A", "value": "\u00e9\/"}],
+                "lifecycle": {
+                    "preStop": {
+                        "sleep": {
+                            "seconds": 5
+                        }
+                    }
+                }
             }
         ]
     }
 }
"#
)]
#[case::json_in_one_line_and_one_object_behind_the_other(
    r#"
-{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"app","image":"x"}]}}
+{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","annotations":{"apisix-prestop/injected":"app=5s"}},"spec":{"containers":[{"name":"app","image":"x","lifecycle":{"preStop":{"sleep":{"seconds":5}}}}]}}
 {"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1.0e5"}}
"#
)]
fn an_odd_file_is_changed_where_it_has_to_be_and_nowhere_else(
    #[case] diff: &str,
    #[values(Form::Plain, Form::Crlf, Form::ByteOrderMark, Form::NoFinalNewline)] form: Form,
) {
    let (before, after) = sides(diff);
    let (before, after) = (form.of(&before), form.of(&after));
    let (text, report) = injected(&before);
    assert_eq!(text, after, "{report}");
    assert_eq!(inject(&after), after, "a second time");
    assert_eq!(uninject(&after), before, "and back");
}

/// Where an anchor and its alias have to differ, the data is right and the report says what the
/// text has lost. `uninject` then leads back to the data, not to the alias.
#[rstest]
#[case::only_one_use_of_a_container_changes(
    r#"
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
 spec:
   initContainers:
   - &app # both
     name: app
     image: x
     args: ["-v"]
   containers:
-  - *app # the same
+  - name: app # the same
+    image: x
+    args: ["-v"]
+    lifecycle:
+      preStop:
+        sleep:
+          seconds: 5
"#,
    "line 12: *app is written out, as it differs from its anchor now"
)]
#[case::a_spec_from_elsewhere(
    r#"
 x-spec: &spec
   containers: [{name: app, image: x}]
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
-spec: *spec # from above
+spec: # from above
+  containers:
+    - name: app
+      image: x
+      lifecycle:
+        preStop:
+          sleep:
+            seconds: 5
"#,
    "line 7: *spec is written out, as it differs from its anchor now"
)]
#[case::an_alias_in_flow_style(
    r#"
 x: &app {name: app, image: x}
 apiVersion: v1
 kind: Pod
 metadata:
   name: web
+  annotations:
+    apisix-prestop/injected: "app=5s"
-spec: {containers: [*app ]}
+spec: {containers: [{name: app, image: x, lifecycle: {preStop: {sleep: {seconds: 5}}}} ]}
"#,
    "line 6: *app is written out, as it differs from its anchor now"
)]
#[case::a_template_that_opts_out_in_one_place_only(
    r#"
 apiVersion: v1
 kind: List
 items:
 - apiVersion: v1
   kind: Pod
   metadata:
     name: one
     labels: {apisix-prestop/inject: disabled}
   spec: &spec {containers: [{name: app, image: x}]}
 - apiVersion: v1
   kind: Pod
   metadata:
     name: two
+    annotations:
+      apisix-prestop/injected: "app=5s"
-  spec: *spec
+  spec:
+    containers:
+      - name: app
+        image: x
+        lifecycle:
+          preStop:
+            sleep:
+              seconds: 5
"#,
    "line 14: *spec is written out, as it differs from its anchor now"
)]
fn what_cannot_be_kept_is_in_the_report(#[case] diff: &str, #[case] loss: &str) {
    let (before, after) = sides(diff);
    let (text, report) = injected(&before);
    assert_eq!(text, after, "{report}");
    assert!(report.contains(&format!("notice: {loss}\n")), "{report}");
    assert_eq!(inject(&after), after, "a second time");
    let [before, back] = [before, uninject(&after)].map(|text| as_json(&text));
    assert_eq!(back, before, "and back");
}

#[test]
fn a_document_that_cannot_be_spliced_is_refused() {
    let odd = "kind: Pod\napiVersion: v1\n? metadata\n:\nspec:\n  containers:\n  - name: a # c\n    image: x\n";
    let text = format!("kind:   X\n---\n{odd}");
    let error = apply(vec![source(&text)], &Operation::Inject(policy()), ApplyOptions::default())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "web.yaml:2: document 2: cannot be changed without changing something else too: please \
         report it"
    );
}

fn render(changed: &[ChangedSource], format: Option<Format>) -> String {
    let mut text = Vec::new();
    apisix_prestop::manifests::render(changed, format, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn as_json(text: &str) -> String {
    let what = Operation::Uninject;
    let (changed, _) = apply(vec![source(text)], &what, ApplyOptions::default()).unwrap();
    render(&changed, Some(Format::Json))
}

/// A Deployment whose template has `container`.
fn deployment(container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    \
         spec:\n      containers:\n      - {container}\n"
    )
}

/// A Deployment whose template has `annotation`.
fn annotated(annotation: &str) -> String {
    let metadata = format!("template:\n    metadata:\n      annotations:\n        {annotation}\n");
    deployment("{name: web, image: x}").replace("template:\n", &metadata)
}

#[rstest]
#[case::injected(&deployment("{name: web, image: x}"),
    "deployment/web: injected web=5s; grace 30s kept\n1 changed, 0 unchanged, 0 without Pods, 0 notices")]
#[case::several_containers(&deployment("{name: web, image: x}\n      - {name: api, image: x}\n      terminationGracePeriodSeconds: 3"),
    "deployment/web: injected web=5s,api=5s; grace 3s→15s\n")]
#[case::no_image(&deployment("name: web\n        image: x"), "deployment/web: injected web=5s; grace 30s kept\n")]
#[case::own_hook(&deployment("{name: web, image: x, lifecycle: {preStop: {httpGet: {port: 80}}}}"),
    "deployment/web: unchanged: hook_present\n0 changed, 1 unchanged,")]
#[case::notice_of_the_core(
    "apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-, annotations: {apisix-prestop/delay: soon}}\nspec: {containers: [{name: web, image: x}]}",
    "pod/web-: notice: apisix-prestop/delay: \"soon\" is not"
)]
#[case::job(
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: m}\nspec: {template: {spec: {containers: [{name: m, image: x}]}}}",
    "job/m: unchanged: job\n"
)]
#[case::cron_job(
    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: m}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: m, image: x}]}}}}}",
    "cronjob/m: unchanged: job\n"
)]
#[case::another_job(
    "apiVersion: batch.volcano.sh/v1\nkind: Job\nmetadata: {name: m}\nspec: {tasks: [{template: {spec: {containers: [{name: m, image: x}]}}}]}",
    "job/m: notice: /spec/tasks/0/template: a Pod template in an unknown kind stays as it is\n0 changed, 0 unchanged, 1 without Pods, 1 notice"
)]
#[case::no_containers(&deployment("x").replace("\n      - x", " []"), "deployment/web: unchanged: no containers\n")]
#[case::rollout_that_refers(
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {workloadRef: {kind: Deployment}}",
    "rollout/web: unchanged: no Pod template\n"
)]
#[case::config_map(
    "apiVersion: v1\nkind: ConfigMap\ndata: {kind: Pod}\n",
    "0 changed, 0 unchanged, 1 without Pods, 0 notices"
)]
#[case::not_a_manifest("- 1\n- 2\n", "0 changed, 0 unchanged, 0 without Pods, 0 notices")]
#[case::live_deployment(&format!("{}status: {{replicas: 1}}\n", deployment("{name: web, image: x}")),
    "deployment/web: notice: status is from before this change\n")]
#[case::live_pod(
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: x}]}\nstatus: {phase: Running}",
    "pod/p: notice: an existing Pod cannot be changed like this: create it anew\n"
)]
#[case::last_applied(&deployment("{name: web, image: x}").replace("name: web\nspec", "name: web\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{}'\nspec"),
    "deployment/web: notice: kubectl.kubernetes.io/last-applied-configuration is from before this change\n")]
#[case::no_control_characters(
    "apiVersion: v1\nkind: \"Pod\\e[31m\"\nspec: {containers: [{name: a, image: x}]}",
    "pod\u{fffd}[31m/(no name): notice: /: a Pod template"
)]
fn the_report_says_what_became_of_each_object(#[case] text: &str, #[case] line: &str) {
    let (_, report) = injected(text);
    assert!(report.contains(line), "expected {line:?} in:\n{report}");
}

#[rstest]
#[case::broken_second_document(&format!("{}---\na: [\n", deployment("name: web\n        image: x")),
    "web.yaml:12: document 2: column 4: unclosed bracket '['")]
#[case::tab("a:\n\tb: 1\n", "web.yaml:2: document 1: column 2: tabs disallowed")]
#[case::helm_template("{{- if .Values.x }}\na: b\n{{- end }}\n", "web.yaml:1: document 1: column")]
#[case::helm_template_further_up(
    "{{- if .Values.x }}\na: b\n",
    "(it looks like a template of Helm: inject the output of helm template)"
)]
#[case::unknown_alias(
    "a: b\n---\n# x\na: *nope\n",
    "web.yaml:4: document 2: column 4: while parsing node, found unknown anchor"
)]
#[case::alias_in_itself(
    "a: &a\n  b: *a\n",
    "web.yaml:2: document 1: /a/b: an alias that contains itself"
)]
#[case::key_that_is_a_list(
    "x:\n  ? [a]\n  : b\n",
    "web.yaml:2: document 1: /x: a key that is not a scalar"
)]
#[case::merge_of_text(
    "x:\n  <<: a\n",
    "web.yaml:2: document 1: /x: << needs a mapping, or a list of mappings"
)]
#[case::container_without_name(&deployment("image: x"),
    "web.yaml:9: document 1: deployment/web: /spec/template/spec/containers/0: not a Pod template that Kubernetes accepts: missing field `name`")]
#[case::containers_that_are_none(&format!("---\n---\n{}", deployment("x")), "web.yaml:11: document 2: deployment/web: /spec/template/spec/containers/0: not a Pod template that Kubernetes accepts: invalid type: string \"x\"")]
#[case::grace_that_is_text(&deployment("{name: x, image: x}\n      terminationGracePeriodSeconds: soon"), "web.yaml:10: document 1: deployment/web: /spec/template/spec/terminationGracePeriodSeconds: not a Pod template that Kubernetes accepts: invalid type: string \"soon\", expected i64")]
#[case::annotation_that_is_a_number(&annotated("apisix-prestop/delay: 15"),
    "web.yaml:9: document 1: deployment/web: apisix-prestop/delay: 15 is not a string: write \"15\"")]
#[case::annotation_of_another(&annotated("team/on-call: yes"),
    "web.yaml:9: document 1: deployment/web: team/on-call: true is not a string: write \"true\"")]
#[case::label_that_is_a_boolean(&annotated("x: y").replace("annotations:", "labels:").replace("x: y", "apisix-prestop/inject: false"),
    "web.yaml:9: document 1: deployment/web: apisix-prestop/inject: false is not a string: write \"false\"")]
#[case::carriage_returns(
    "kind: Pod\rapiVersion: v1\r",
    "web.yaml:1: document 1: a carriage return without a line feed: convert the line ends"
)]
#[case::helm_value(
    "a: 1\nb: {{ .Values.x }}\n",
    "(it looks like a template of Helm: inject the output of helm template)"
)]
#[case::variables(
    "a: 1\nb: {c: ${X:={}}}\n",
    "(it looks like a text with variables: substitute them first)"
)]
fn what_cannot_be_read_is_refused(#[case] text: &str, #[case] message: &str) {
    let error = refused(text);
    assert!(error.contains(message), "expected {message:?}, got: {error}");
}

#[test]
fn aliases_that_blow_up_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", ")));
    }
    assert_eq!(refused(&text), "web.yaml:6: document 1: aliases make it too large");
}

#[test]
fn nesting_that_would_overflow_the_stack_is_refused() {
    assert!(refused(&"[".repeat(100_000)).starts_with("web.yaml:1: document 1: column"));
    assert!(refused(&"- ".repeat(100_000)).starts_with("web.yaml:1: document 1: column"));
}

#[test]
fn what_was_changed_since_is_not_removed() {
    let injected = inject(&deployment("{name: web, image: x}"));
    let own = injected.replace("seconds: 5", "seconds: 7");
    let back = uninject(&own);
    assert!(back.contains("seconds: 7") && !back.contains("injected"), "{back}");
}

#[test]
fn a_comment_in_what_is_removed_is_reported() {
    let text =
        inject(&deployment("name: web\n        image: x")).replace("sleep:\n", "sleep: # mine\n");
    let (changed, report) =
        apply(vec![source(&text)], &Operation::Uninject, ApplyOptions::default()).unwrap();
    assert_eq!(changed[0].after(), deployment("name: web\n        image: x"));
    let line = 1 + text.lines().position(|line| line.contains("# mine")).unwrap();
    let expected = format!("deployment/web: notice: line {line}: a comment is lost\n");
    assert!(report.to_string().contains(&expected), "{report}");
}

#[test]
fn an_annotation_that_is_not_ours_stays() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {annotations: {apisix-prestop/injected: x}}\n";
    let (changed, report) =
        apply(vec![source(text)], &Operation::Uninject, ApplyOptions::default()).unwrap();
    assert_eq!((changed[0].after(), report.notices()), (text, 1), "{report}");
}

#[test]
fn the_pods_of_jobs_are_injected_if_the_policy_says_so() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: m}\nspec:\n  template:\n    spec:\n      containers:\n      - name: m\n        image: x\n";
    let policy = apisix_prestop::injection::Policy { jobs: true, ..policy() };
    let (changed, report) =
        apply(vec![source(job)], &Operation::Inject(policy), ApplyOptions::default()).unwrap();
    assert!(report.to_string().starts_with("job/m: injected m=5s;"), "{report}");
    assert_eq!(uninject(changed[0].after()), job);
}

/// Pods in the shapes in which charts and operators create them.
#[test]
fn every_pod_that_we_know_is_the_same_after_inject_and_uninject() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pods");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            let text = uninject(&text);
            let back = uninject(&inject(&text));
            // `annotations:` with nothing behind it is no annotations, and comes back as such.
            let has_null = as_json(&text).contains("\"annotations\": null");
            let is_same = has_null || back == text;
            assert!(is_same, "{}:\n{back}", path.display());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

// ---- Formats -----------------------------------------------------------------------------------

fn rendered(texts: &[&str], format: Option<Format>) -> String {
    let sources =
        texts.iter().map(|text| Ok(ManifestSource::of(format!("{}.x", text.len()), *text)));
    let options = ApplyOptions { keeps_patches: true, ..ApplyOptions::default() };
    let (changed, _) = apply(sources.collect(), &Operation::Inject(policy()), options).unwrap();
    render(&changed, format)
}

const JSON_POD: &str = r#"{"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"name": "a", "image": "x", "args": ["x\ny\n", "", "true", "{"]}]}, "metadata": {"name": "p"}}"#;

#[test]
fn json_becomes_yaml_in_the_same_order() {
    let yaml = "kind: Pod\napiVersion: v1\nspec:\n  containers:\n    - name: a\n      image: x\n      args: [\"x\\ny\\n\", \"\", \"true\", \"{\"]\n      lifecycle:\n        preStop:\n          sleep:\n            seconds: 5\nmetadata:\n  name: p\n  annotations:\n    apisix-prestop/injected: \"a=5s\"\n";
    assert_eq!(rendered(&[JSON_POD], Some(Format::Yaml)), yaml);
}

#[test]
fn text_of_several_lines_stays_readable() {
    let json = r#"{"a": "x\n  y\n\nz\n", "b": "x\ny", "c": "x\r\ny", "d": "\nx\n", "e": "x \ny"}"#;
    let yaml = "a: |\n  x\n    y\n\n  z\nb: |-\n  x\n  y\nc: \"x\\r\\ny\"\nd: \"\\nx\\n\"\ne: \"x \\ny\"\n";
    assert_eq!(rendered(&[json], Some(Format::Yaml)), yaml);
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&as_json(yaml)), value(json));
}

#[test]
fn yaml_becomes_json_in_the_same_order_with_aliases_followed() {
    let yaml = "kind: ConfigMap\napiVersion: v1\ndata: &d {b: yes, a: 0644, c: \"1\"}\nd: *d\n---\n# nothing\n";
    let json = r#"{
  "kind": "ConfigMap",
  "apiVersion": "v1",
  "data": {
    "b": true,
    "a": 420,
    "c": "1"
  },
  "d": {
    "b": true,
    "a": 420,
    "c": "1"
  }
}
"#;
    assert_eq!(rendered(&[yaml], Some(Format::Json)), json);
}

#[test]
fn several_files_become_one_stream() {
    let stream =
        rendered(&["a: 1", "\u{feff}---\nb: 2\n", "%YAML 1.1\n---\nc: 3\n...\n", "d: 4\n"], None);
    assert_eq!(stream, "a: 1\n---\nb: 2\n...\n%YAML 1.1\n---\nc: 3\n...\n---\nd: 4\n");
    let stream = rendered(&["{\"a\": 1}{\"b\": 2}", "c: 3\n"], None);
    assert_eq!(stream, "---\n{\"a\": 1}\n---\n{\"b\": 2}\n---\nc: 3\n");
    let stream = rendered(&["{\"a\": 1}", "b: 2\n"], Some(Format::Json));
    assert_eq!(stream, "{\"a\": 1}\n{\n  \"b\": 2\n}\n");
}

#[test]
fn a_patch_names_its_object_and_applies_to_it() {
    let list = format!("kind: List\napiVersion: v1\nitems: [{JSON_POD}, {{kind: X}}]\n");
    let patches = rendered(&[&list], Some(Format::Patch));
    let patch: serde_json::Value = serde_json::from_str(&patches).unwrap();
    assert_eq!(
        (&patch["kind"], &patch["name"], &patch["document"]),
        (&"Pod".into(), &"p".into(), &1.into())
    );
    let mut pod: serde_json::Value = serde_json::from_str(JSON_POD).unwrap();
    let operations: json_patch::Patch = serde_json::from_value(patch["patch"].clone()).unwrap();
    json_patch::patch(&mut pod, &operations).unwrap();
    assert_eq!(pod["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"], 5);
}

#[test]
fn a_diff_shows_only_what_changes() {
    let diff = rendered(
        &[&format!("{}---\nkind: X\n", deployment("name: web\n        image: x"))],
        Some(Format::Diff),
    );
    let lines = |sign: &str| diff.lines().filter(|line| line.starts_with(sign)).count();
    assert_eq!(
        (lines("--- a/"), lines("+++ b/"), lines("@@"), lines("- ")),
        (1, 1, 1, 0),
        "{diff}"
    );
    assert_eq!(rendered(&["kind: X\n"], Some(Format::Diff)), "");
}

// ---- The program -------------------------------------------------------------------------------

#[test]
fn stdin_comes_out_on_stdout_and_the_report_on_stderr() {
    let Run { code, stdout, stderr } =
        run(&["inject", "-f", "-", "--hook=sleep"], &deployment("name: web\n        image: x"));
    assert_eq!((code, stdout), (0, inject(&deployment("name: web\n        image: x"))));
    assert_eq!(
        stderr,
        "deployment/web: injected web=5s; grace 30s kept\n1 changed, 0 unchanged, 0 without Pods, 0 notices\n"
    );
    let Run { code, stdout, .. } =
        run(&["uninject", "-f", "-"], &inject(&deployment("name: web\n        image: x")));
    assert_eq!((code, stdout), (0, deployment("name: web\n        image: x")));
}

#[test]
fn hook_auto_means_exec_and_says_so() {
    let Run { stdout, stderr, .. } =
        run(&["inject", "-f", "-"], &deployment("name: web\n        image: x"));
    assert!(stdout.contains("command: [\"/bin/sh\", \"-c\", \"sleep 5\"]"), "{stdout}");
    assert!(stderr.contains("hook auto: there is no cluster to ask, so it means exec"), "{stderr}");
}

#[test]
fn the_flags_of_serve_hold_here_too() {
    let args =
        ["inject", "-f", "-", "--hook", "sleep", "--delay", "40s", "--shutdown-reserve", "20"];
    let Run { stderr, .. } = run(&args, &deployment("name: web\n        image: x"));
    assert!(stderr.contains("injected web=40s; grace 30s→60s"), "{stderr}");
}

#[test]
fn a_broken_second_document_or_file_leaves_stdout_empty() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("a.yaml"), deployment("name: web\n        image: x")).unwrap();
    fs::write(
        path("b.yml"),
        format!("{}---\na: b: c\n", deployment("name: web\n        image: x")),
    )
    .unwrap();
    let Run { code, stdout, stderr } = run(&["inject", "-f", &path("")], "");
    assert_eq!((code, &*stdout), (2, ""));
    let place = format!("error: {}:12: document 2: column", path("b.yml"));
    assert!(stderr.contains(&place), "{stderr}");
}

#[test]
fn a_directory_is_read_in_order_and_with_others_in_it_only_if_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(path("sub")).unwrap();
    for (name, text) in [
        ("b.yaml", "b: 1"),
        ("a.json", "{\"a\": 1}"),
        ("c.yml", "c: 1\n"),
        ("sub/d.yaml", "d: 1\n"),
        ("README.md", "{"),
    ] {
        fs::write(path(name), text).unwrap();
    }
    let flat = "---\n{\"a\": 1}\n---\nb: 1\n---\nc: 1\n";
    assert_eq!(run(&["uninject", "-f", &path("")], "").stdout, flat);
    let deep = format!("{flat}---\nd: 1\n");
    assert_eq!(run(&["uninject", "-R", "-f", &path("")], "").stdout, deep);
}

#[rstest]
#[case::no_file(&["inject"], "", 2, "--filename <FILE|DIR|->")]
#[case::missing_file(&["inject", "-f", "/nowhere.yaml"], "", 2, "error: /nowhere.yaml: No such file")]
#[case::empty_directory(&["inject", "-f", "/proc/self/fdinfo"], "", 2, "no *.yaml, *.yml or *.json file in it")]
#[case::bad_delay(&["inject", "-f", "-", "--delay", "x"], "", 2, "--delay <SECONDS>")]
#[case::contradicting_flags(&["inject", "-f", "-", "--delay", "500"], "", 2, "above --max-delay")]
#[case::bad_format(&["inject", "-f", "-", "-o", "toml"], "", 2, "[possible values: yaml, json, patch, diff]")]
#[case::broken(&["uninject", "-f", "-"], "a: 1\nb: [\n", 2, "error: stdin:2: document 1: column")]
#[case::notice(&["inject", "-f", "-", "--fail-on-notice"], "apiVersion: x/v1\nkind: X\nspec: {containers: [{name: a, image: x}]}\n", 1, "error: 1 notice, and --fail-on-notice is set")]
#[case::notice_that_may_be(&["inject", "-f", "-"], "apiVersion: x/v1\nkind: X\nspec: {containers: [{name: a, image: x}]}\n", 0, "1 notice")]
#[case::no_notice(&["inject", "-f", "-", "--fail-on-notice"], "kind: X\n", 0, "0 notices")]
#[case::nothing(&["inject", "-f", "-"], "", 0, "0 changed")]
fn the_exit_code_says_whose_fault_it_is(
    #[case] args: &[&str],
    #[case] stdin: &str,
    #[case] expected: i32,
    #[case] message: &str,
) {
    let Run { code, stderr, .. } = run(args, stdin);
    assert_eq!(code, expected, "{stderr}");
    assert!(stderr.contains(message), "expected {message:?} in:\n{stderr}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let Run { code, stdout, stderr } =
        run(&["inject", "-f", "-", "--dry-run"], &deployment("name: web\n        image: x"));
    assert_eq!((code, &*stdout), (0, ""));
    assert!(stderr.contains("deployment/web: injected"), "{stderr}");
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), b"a: b\nc: \xff\n").unwrap();
    let name = file.path().display().to_string();
    let Run { code, stderr, .. } = run(&["inject", "-f", &name], "");
    assert_eq!((code, stderr.lines().last()), (2, Some(&*format!("error: {name}:2: not UTF-8"))));
}

// ---- Properties --------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_injected_and_taken_out_again_is_the_same_to_the_byte(file in generate::file()) {
        let text = generate::text(&file);
        prop_assert_eq!(uninject(&inject(&text)), text);
    }

    #[test]
    fn a_second_injection_changes_nothing(file in generate::file()) {
        let once = inject(&generate::text(&file));
        prop_assert_eq!(inject(&once), once);
    }

    /// Never does the odd text need the last resort, nor lose a comment.
    #[test]
    fn nothing_is_lost(file in generate::file()) {
        let text = generate::text(&file);
        let (after, report) = injected(&text);
        prop_assert!(!report.contains(" is lost") && !report.contains("written"), "{}", report);
        let mut rest = text.lines().filter(|line| line.contains('#'));
        let comments = |line: &str| line.split_once('#').map(|(_, comment)| comment.to_owned());
        prop_assert!(rest.all(|line| after.lines().any(|kept| comments(kept) == comments(line))));
    }

    #[test]
    fn documents_without_pods_stay_as_they_are_to_the_byte(file in generate::file()) {
        let (documents, layout) = &file;
        let text = generate::text(&file);
        let after = inject(&text);
        let newline = if layout.crlf { "\r\n---\r\n" } else { "\n---\n" };
        let (before, after): (Vec<_>, Vec<_>) =
            (text.split(newline).collect(), after.split(newline).collect());
        prop_assert_eq!(before.len(), after.len());
        if before.len() == documents.len() {
            for (index, document) in documents.iter().enumerate() {
                if !document.has_pods {
                    prop_assert_eq!(before[index], after[index]);
                }
            }
        }
    }

    /// Whether a file is spliced as YAML or as JSON, the same comes out.
    #[test]
    fn as_json_it_is_the_same_injection(file in generate::file()) {
        let text = generate::text(&file);
        let json = as_json(&text);
        let (changed, _) = apply(vec![source(&text)], &Operation::Inject(policy()), ApplyOptions::default()).unwrap();
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(bare(&inject(&json)), bare(&render(&changed, Some(Format::Json))));
        prop_assert_eq!(&uninject(&inject(&json)), &json);
        let (changed, _) = apply(vec![source(&json)], &Operation::Uninject, ApplyOptions::default()).unwrap();
        let yaml = render(&changed, Some(Format::Yaml));
        prop_assert_eq!(as_json(&yaml), json);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a-c:{}\\[\\]&*!|>'\"%@#, \n\t~<?.]{0,40}") {
        let _ = apply(vec![source(&text)], &Operation::Inject(policy()), ApplyOptions::default());
        let pod = format!("kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - name: a\n    {text}\n");
        if let Ok((changed, _)) = apply(vec![source(&pod)], &Operation::Inject(policy()), ApplyOptions::default()) {
            let once = changed[0].after().to_owned();
            prop_assert_eq!(inject(&once), once);
        }
    }
}
