//! `apisix-prestop audit`: what is found of a Pod, of a workload and of a cluster, and how it is
//! written.

use std::{collections::BTreeSet, fs};

use apisix_prestop::{
    injection::{Pod, Policy, Targets},
    protection::{
        AuditFindingName, AuditReport, AuditSettings, AuditedPod, Budget, NamespaceOptIn, PodLife,
        ProtectionAudit, Replication, WorkloadPlace, explain,
    },
    upstreams::{
        ClusterObject, IngressController, Limit, Snapshot, Target, UpstreamIndex, VersionChoice,
    },
};
use rstest::rstest;
use serde_json::{Value, json};
use strum::VariantArray;
use support::repository;

use super::{
    manifests::{Run, run},
    schema,
};

/// What is known of a Pod that has nothing wrong, before a test changes it.
struct Facts {
    pod: Value,
    life: PodLife,
    created: &'static str,
    routed: Option<&'static str>,
    namespace: Option<NamespaceOptIn>,
    is_probed: bool,
    hook_failed: bool,
    settings: AuditSettings,
}

const BEFORE: &str = "2026-01-01T00:00:00Z";
const CREATED: &str = "2026-01-02T00:00:00Z";
const AFTER: &str = "2026-01-03T00:00:00Z";

impl Facts {
    fn new() -> Self {
        Self {
            pod: json!({
                "metadata": {
                    "name": "web-5d-abc",
                    "labels": {"app": "web", "pod-template-hash": "5d"},
                    "ownerReferences": [{
                        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d", "uid": "u",
                        "controller": true,
                    }],
                },
                "spec": {
                    "terminationGracePeriodSeconds": 30,
                    "containers": [{"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}],
                },
            }),
            life: PodLife::Running,
            created: CREATED,
            routed: Some(BEFORE),
            namespace: Some(NamespaceOptIn { is_opted_in: true, since: Some(BEFORE.to_owned()) }),
            is_probed: true,
            hook_failed: false,
            settings: AuditSettings {
                policy: Policy::default(),
                is_installed: true,
                propagation: None,
                is_delay_measured: false,
            },
        }
    }

    /// The preStop hook of the container; null for none.
    fn hook(mut self, hook: Value) -> Self {
        self.pod["spec"]["containers"][0]["lifecycle"]["preStop"] = hook;
        self
    }

    fn without_hook(mut self) -> Self {
        self.pod["spec"]["containers"][0] = json!({"name": "app"});
        self
    }

    fn with(mut self, change: Value) -> Self {
        json_patch::merge(&mut self.pod, &change);
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn audited<T>(&self, then: impl FnOnce(&AuditedPod<'_, '_>) -> T) -> T {
        let text = self.pod.to_string();
        let pod: Pod<'_> = serde_json::from_str(&text).unwrap();
        then(&AuditedPod {
            pod: &pod,
            life: self.life,
            created: self.created,
            routed: self.routed,
            namespace: self.namespace.as_ref(),
            is_probed: self.is_probed,
            hook_failed: self.hook_failed,
        })
    }

    fn findings(&self) -> String {
        let found = self.audited(|pod| pod.findings(&self.settings));
        let names: Vec<_> = found.iter().map(|finding| finding.name().as_str()).collect();
        names.join(", ")
    }
}

fn exec(words: &[&str]) -> Value {
    json!({"exec": {"command": words}})
}

fn labelled(value: &str) -> Value {
    json!({"metadata": {"labels": {"apisix-prestop/inject": value}}})
}

fn annotated(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {format!("apisix-prestop/{key}"): value}}})
}

#[rstest]
#[case::nothing_is_wrong(Facts::new(), "")]
#[case::no_webhook(Facts::new().without_hook().set(|it| it.settings.is_installed = false), "webhook_missing")]
#[case::not_opted_in(Facts::new().without_hook().set(|it| it.namespace = Some(NamespaceOptIn::default())), "not_opted_in")]
#[case::created_before_the_opt_in(
    Facts::new().without_hook().set(|it| it.namespace.as_mut().unwrap().since = Some(AFTER.to_owned())),
    "created_before_opt_in"
)]
#[case::created_while_the_webhook_was_away(Facts::new().without_hook(), "created_without_webhook")]
#[case::created_before_its_route(
    Facts::new().without_hook().set(|it| {
        it.routed = Some(AFTER);
        it.settings.policy.targets = Targets::Upstreams;
    }),
    "created_before_route"
)]
#[case::the_age_of_the_route_matters_only_where_it_decides(
    Facts::new().without_hook().set(|it| it.routed = Some(AFTER)),
    "created_without_webhook"
)]
#[case::opted_out(Facts::new().without_hook().with(labelled("disabled")), "opted_out")]
#[case::its_delay_is_0(Facts::new().without_hook().with(annotated("delay", "0")), "delay_zero")]
#[case::own_hook_that_does_not_wait(Facts::new().hook(exec(&["nginx", "-s", "quit"])), "hook_ends_listener")]
#[case::own_hook_that_stops_before_it_waits(
    Facts::new().hook(exec(&["sh", "-c", "nginx -s quit; sleep 9"])),
    "hook_ends_listener"
)]
#[case::own_hook_that_may_wait(Facts::new().hook(exec(&["/drain.sh"])), "hook_unknown")]
#[case::own_hook_over_http(Facts::new().hook(json!({"httpGet": {"port": 80}})), "hook_unknown")]
#[case::own_hook_that_waits(Facts::new().hook(exec(&["sh", "-c", "sleep 9"])), "")]
#[case::grace_cuts_the_hook(
    Facts::new().with(json!({"spec": {"terminationGracePeriodSeconds": 5}})),
    "grace_cuts_hook"
)]
#[case::grace_is_0(
    Facts::new().without_hook().with(json!({"spec": {"terminationGracePeriodSeconds": 0}}))
        .set(|it| it.settings.policy.grace = apisix_prestop::injection::GracePolicy::Never),
    "grace_zero"
)]
#[case::sleep_shorter_than_the_policy(Facts::new().hook(json!({"sleep": {"seconds": 2}})), "sleep_short")]
#[case::sleep_that_the_author_asked_for(
    Facts::new().hook(json!({"sleep": {"seconds": 2}})).with(annotated("delay", "2")),
    ""
)]
#[case::sleep_shorter_than_measured_propagation(
    Facts::new().with(annotated("delay", "5")).set(|it| it.settings.propagation = Some(8)),
    "sleep_short"
)]
#[case::sleep_as_long_as_measured_propagation(Facts::new().set(|it| it.settings.propagation = Some(5)), "")]
#[case::exec_hook_without_a_shell(Facts::new().set(|it| it.hook_failed = true), "hook_failed")]
#[case::on_windows(
    Facts::new().without_hook().with(json!({"spec": {"os": {"name": "windows"}}}))
        .set(|it| it.settings.policy.hook = apisix_prestop::injection::Hook::Exec),
    "windows_exec"
)]
#[case::killed_before_its_sleep_ended(Facts::new().set(|it| it.life = PodLife::Stopping(1)), "killed_in_sleep")]
#[case::stopped_in_time(Facts::new().set(|it| it.life = PodLife::Stopping(30)), "")]
#[case::evicted(Facts::new().set(|it| it.life = PodLife::Evicted), "killed_in_sleep")]
#[case::evicted_without_a_sleep(Facts::new().without_hook().set(|it| it.life = PodLife::Evicted), "")]
#[case::ended(Facts::new().without_hook().set(|it| it.life = PodLife::Ended), "")]
#[case::no_readiness_probe(Facts::new().set(|it| it.is_probed = false), "readiness_missing")]
#[case::a_template_that_the_webhook_completes(
    Facts::new().without_hook().set(|it| (it.life, it.created) = (PodLife::Template, "")),
    ""
)]
#[case::a_template_in_a_namespace_without_the_label(
    Facts::new().without_hook().set(|it| {
        it.life = PodLife::Template;
        it.namespace = Some(NamespaceOptIn::default());
    }),
    "not_opted_in"
)]
#[case::a_job(
    Facts::new().without_hook().with(json!({"spec": {"restartPolicy": "Never"}})),
    ""
)]
#[case::a_shutdown_that_its_containers_coordinate(
    Facts::new().with(json!({"spec": {"containers": [
        {"name": "app", "lifecycle": {"preStop": {"httpGet": {"path": "/wait-for-drain", "port": 8022}}}},
        {"name": "queue-proxy", "ports": [{"containerPort": 8022}]},
    ]}})),
    "hook_unknown"
)]
#[case::one_of_two_containers_has_no_hook(
    Facts::new().with(json!({"spec": {"containers": [
        {"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}, {"name": "proxy"},
    ]}})),
    "created_without_webhook"
)]
fn findings_of_a_pod(#[case] facts: Facts, #[case] expected: &str) {
    assert_eq!(facts.findings(), expected, "for the Pod {:#}", facts.pod);
}

/// A sleep of more than any number of seconds is no panic.
#[test]
fn a_sleep_of_any_length_is_cut_by_the_grace_period() {
    for seconds in ["999999999999", "9223372036854775807", "99999999999999999999999"] {
        let facts = Facts::new().hook(exec(&["sleep", seconds]));
        let found = facts.findings();
        assert!(["grace_cuts_hook", "hook_unknown"].contains(&&*found), "{seconds}: {found}");
    }
}

fn shop() -> Snapshot {
    let mut index = UpstreamIndex::new(IngressController {
        version: VersionChoice::V1_8,
        ..IngressController::default()
    });
    for object in [
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "apisix"},
            "spec": {"controller": "apisix.apache.org/apisix-ingress-controller"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
            "spec": {"ingressClassName": "apisix", "rules": [{"http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}]}}),
    ] {
        let [version, kind] = ["apiVersion", "kind"].map(|key| object[key].as_str().unwrap());
        index.apply(ClusterObject::from_manifest(version, kind, &object, "shop").unwrap().unwrap());
    }
    index.snapshot()
}

fn target(facts: &Facts) -> Target {
    let text = facts.pod.to_string();
    let pod: Pod<'_> = serde_json::from_str(&text).unwrap();
    let labels: Vec<_> = pod.metadata.as_ref().unwrap().labels.iter().collect();
    shop().target("shop", labels.into_iter())
}

/// The report on Pods of one workload each.
fn report(pods: &[Facts], then: impl FnOnce(&mut ProtectionAudit)) -> AuditReport {
    let mut audit = ProtectionAudit::new(Facts::new().settings);
    for facts in pods {
        facts.audited(|pod| {
            audit.add(WorkloadPlace::of("shop", pod.pod), pod, target(facts), None);
        });
    }
    then(&mut audit);
    audit.report(&shop(), ["shop"].into_iter(), Vec::new())
}

#[test]
fn pods_count_by_workload_and_revision() {
    let newer = || {
        Facts::new().with(json!({"metadata": {"labels": {"pod-template-hash": "6e"}, "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6e", "uid": "v", "controller": true},
        ]}}))
    };
    let worker = Facts::new().with(json!({"metadata": {"labels": {"app": "worker"}}}));
    let pods = [
        Facts::new(),
        Facts::new().without_hook(),
        newer(),
        newer().hook(json!({"sleep": {"seconds": 2}})),
        worker,
    ];
    let report = report(&pods, |_| ());
    let seen: Vec<_> = report
        .workloads
        .iter()
        .map(|it| (it.place.to_string(), &*it.place.revision, it.pods, <&str>::from(it.protection)))
        .collect();
    let web = || "deployment/web".to_owned();
    assert_eq!(seen, [(web(), "5d", 2, "unprotected"), (web(), "6e", 2, "short")]);
    let found: Vec<_> =
        report.workloads[0].findings.iter().map(|it| (it.pods, &*it.command)).collect();
    assert_eq!(found, [(1, "kubectl -n shop rollout restart deployment/web")]);
    let summary = serde_json::to_value(report.summary).unwrap();
    let expected = json!({"workloads": 2, "pods": 4, "protected": 2, "short": 1, "unprotected": 1, "others": 1});
    assert_eq!(summary, expected, "{report:#?}");
}

/// Whoever creates a Pod chooses what its owner is called, and a manifest can have any names.
#[rstest]
#[case::ends_the_command("shop", "Deployment", "web;id")]
#[case::is_another_command("shop", "Deployment", "$(id)")]
#[case::is_a_flag("shop", "Deployment", "--all")]
#[case::clears_the_terminal("shop", "Deployment", "web\u{1b}[2J")]
#[case::kind_that_ends_the_command("shop", "Deployment;id;", "web")]
#[case::namespace_that_ends_the_command("shop;id", "Deployment", "web")]
fn no_name_becomes_a_part_of_a_command(
    #[case] namespace: &str,
    #[case] kind: &str,
    #[case] name: &str,
) {
    let place = WorkloadPlace::new(namespace, kind, name, "");
    for finding in
        [Facts::new().without_hook(), Facts::new().hook(json!({"sleep": {"seconds": 2}}))]
    {
        let findings = finding.audited(|pod| pod.findings(&finding.settings));
        assert_eq!(findings[0].command(&place), "kubectl get pods --all-namespaces");
    }
    let spec = json!({"maxUnavailable": 5, "selector": {"matchLabels": {"app": "web"}}});
    let budget = Budget::read(name, &json!({"spec": spec}).to_string()).unwrap();
    let report = report(&[Facts::new(), Facts::new()], |audit| audit.budget("shop", &budget));
    let command = &report.workloads[0].findings[0].command;
    let is_plain = name == "web";
    assert_eq!(command.contains(name), is_plain, "{command}");
}

#[rstest]
#[case::several(json!({"replicas": 2}), &[])]
#[case::one(json!({"replicas": 1}), &["single_replica"])]
#[case::recreate(json!({"replicas": 2, "strategy": {"type": "Recreate"}}), &["all_at_once"])]
#[case::all_by_share(json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}), &["all_at_once"])]
#[case::all_by_number(json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": 2}}}), &["all_at_once"])]
#[case::some(json!({"replicas": 4, "strategy": {"rollingUpdate": {"maxUnavailable": "25%"}}}), &[])]
#[case::each_node(json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}), &["all_at_once"])]
#[case::wrong_types(json!({"replicas": "two", "strategy": 7}), &[])]
fn findings_of_a_workload(#[case] spec: Value, #[case] expected: &[&str]) {
    let text = json!({"spec": spec}).to_string();
    let report = report(&[Facts::new()], |audit| {
        audit.replicate("shop", "Deployment", "web", &Replication::read(&text));
        audit.replicate(
            "shop",
            "Deployment",
            "webb",
            &Replication::read(r#"{"spec": {"replicas": 1}}"#),
        );
    });
    let found: Vec<_> = report.workloads[0].findings.iter().map(|it| it.finding.as_str()).collect();
    assert_eq!(found, expected, "{spec}");
}

#[rstest]
#[case::one_at_a_time(json!({"maxUnavailable": 1}), false)]
#[case::all(json!({"maxUnavailable": "100%"}), true)]
#[case::more_than_there_are(json!({"maxUnavailable": 5}), true)]
#[case::none_has_to_stay(json!({"minAvailable": 0}), true)]
#[case::no_share_has_to_stay(json!({"minAvailable": "0%"}), true)]
#[case::some_have_to_stay(json!({"minAvailable": "50%"}), false)]
#[case::about_others(json!({"maxUnavailable": 5, "selector": {"matchLabels": {"app": "worker"}}}), false)]
#[case::by_expression(
    json!({"maxUnavailable": 5, "selector": {"matchLabels": null, "matchExpressions": [
        {"key": "app", "operator": "In", "values": ["web"]}, {"key": "old", "operator": "DoesNotExist"},
    ]}}),
    true
)]
#[case::not_by_expression(
    json!({"maxUnavailable": 5, "selector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}),
    false
)]
fn a_budget_that_lets_all_pods_go(#[case] change: Value, #[case] expected: bool) {
    let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}});
    json_patch::merge(&mut spec, &change);
    let budget = Budget::read("web", &json!({"spec": spec}).to_string()).unwrap();
    let report = report(&[Facts::new(), Facts::new()], |audit| audit.budget("shop", &budget));
    let found: Vec<_> = report.workloads[0].findings.iter().map(|it| it.finding).collect();
    assert_eq!(found.contains(&AuditFindingName::BudgetWithoutEffect), expected, "{spec:#}");
}

#[test]
fn the_explanation_goes_from_the_workload_to_the_command() {
    let facts = Facts::new().without_hook().set(|it| {
        it.namespace.as_mut().unwrap().since = Some(AFTER.to_owned());
    });
    let steps = facts.audited(|pod| {
        explain(&WorkloadPlace::of("shop", pod.pod), pod, &target(&facts), &facts.settings)
    });
    let text: Vec<_> = steps.iter().map(|(label, text)| format!("{label}: {text}")).collect();
    let expected = [
        "workload: Deployment web, revision 5d, created 2026-01-02T00:00:00Z",
        "namespace: opted in, the label is of 2026-01-03T00:00:00Z",
        "target: upstream of Ingress shop/web via Service web, the route is of 2026-01-01T00:00:00Z",
        "policy: delay 5s, at most 5m, 10s kept for the shutdown",
        "container: app: no preStop hook",
        "grace: 30 s",
        "webhook: hook_missing: for a new Pod like this: app sleeps 5s",
        "finding: created_before_opt_in: created before the namespace opted in",
        "try: kubectl -n shop rollout restart deployment/web",
    ];
    assert_eq!(text, expected);
}

const MANIFEST: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, publishNotReadyAddresses: true}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, readinessProbe: {}, lifecycle: {preStop: {exec: {command: [nginx, -s, quit]}}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: shop}
spec: {replicas: 1, template: {metadata: {labels: {app: worker}}, spec: {containers: [{name: app}]}}}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: apisix}
spec: {controller: apisix.apache.org/apisix-ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {ingressClassName: apisix, rules: [{http: {paths: [{backend: {service: {name: web}}}]}}]}
"#;

fn audit(flags: &[&str]) -> Run {
    run(&[&["audit", "-f", "-"], flags].concat(), MANIFEST)
}

const COMMAND: &str = r#"kubectl -n shop patch deployment/web --type merge --patch '{"spec": {"template": {"metadata": {"annotations": {"apisix-prestop/existing-hook": "prepend"}}}}}'"#;

#[test]
fn the_table_says_what_is_wrong_and_what_to_type() {
    let run = audit(&[]);
    let expected = format!(
        "\
NAMESPACE  WORKLOAD        PODS  PROTECTION   FINDINGS
shop       deployment/web  -     unprotected  hook_ends_listener

stdin:6: shop deployment/web: the preStop hook of container app stops the server immediately
    {COMMAND}
shop Service web: publishNotReadyAddresses: its Pods get requests until they are gone, whatever they sleep
1 workload to which APISIX sends requests
"
    );
    assert_eq!((&*run.stdout, &*run.stderr, run.code), (&*expected, "", 0));
}

#[test]
fn an_object_with_an_empty_namespace_is_in_the_one_of_the_command() {
    let manifest = MANIFEST.replace("namespace: shop", "namespace: ''");
    let run = run(&["audit", "-f", "-", "-n", "shop"], &manifest);
    assert_eq!((run.stdout, &*run.stderr, run.code), (audit(&[]).stdout, "", 0));
}

#[test]
fn the_wide_table_names_the_route() {
    let run = audit(&["-o", "wide"]);
    let expected = "\
NAMESPACE  WORKLOAD        REVISION  PODS  PROTECTION   FINDINGS            TARGET
shop       deployment/web  -         -     unprotected  hook_ends_listener  upstream of Ingress shop/web via Service web
";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
}

#[test]
fn json_and_yaml_are_the_same_report() {
    let json: Value = serde_json::from_str(&audit(&["-o", "json"]).stdout).unwrap();
    let yaml: Value = serde_saphyr::from_str(&audit(&["-o", "yaml"]).stdout).unwrap();
    assert_eq!(json, yaml);
    let expected = json!({
        "summary": {"workloads": 1, "pods": 0, "protected": 0, "short": 0, "unprotected": 0, "others": 1},
        "workloads": [{
            "namespace": "shop", "kind": "Deployment", "name": "web", "revision": "", "pods": 0,
            "protection": "unprotected", "target": "upstream of Ingress shop/web via Service web",
            "findings": [{
                "finding": "hook_ends_listener", "pods": 0, "command": COMMAND,
                "meaning": "the preStop hook of container app stops the server immediately",
            }],
            "location": "stdin:6",
        }],
        "limits": [{
            "namespace": "shop", "kind": "Service", "name": "web", "limit": "not_ready_addresses",
            "meaning": "publishNotReadyAddresses: its Pods get requests until they are gone, whatever they sleep",
        }],
        "unread": [],
    });
    assert_eq!(json, expected, "{json:#}");
    schema::assert_valid("docs/audit.schema.json", &json);
}

#[test]
fn the_schema_and_the_page_have_each_finding() {
    let schema = schema::read("docs/audit.schema.json");
    let finding = "/properties/workloads/items/properties/findings/items/properties/finding/enum";
    let names: Vec<_> = AuditFindingName::VARIANTS.iter().map(|name| name.as_str()).collect();
    assert_eq!(schema.pointer(finding), Some(&json!(names)));
    let limits: Vec<_> = Limit::VARIANTS.iter().map(|limit| limit.as_str()).collect();
    let limit = "/properties/limits/items/properties/limit/enum";
    assert_eq!(schema.pointer(limit), Some(&json!(limits)));
    let page = fs::read_to_string(repository().join("docs/audit.md")).unwrap();
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "docs/audit.md has no row for {name}");
    }
}

#[test]
fn markdown_has_a_row_for_each_finding() {
    let run = audit(&["-o", "markdown"]);
    let expected = format!(
        "\
| namespace | workload | protection | finding | try |
|---|---|---|---|---|
| shop | deployment/web | unprotected | the preStop hook of container app stops the server immediately | `{COMMAND}` |
| shop | Service web | | publishNotReadyAddresses: its Pods get requests until they are gone, whatever they sleep | |

1 workload to which APISIX sends requests
"
    );
    assert_eq!(run.stdout, expected);
}

#[test]
fn sarif_points_to_the_line() {
    let sarif: Value = serde_json::from_str(&audit(&["-o", "sarif"]).stdout).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "hook_ends_listener", "{sarif:#}");
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    let expected = json!({"artifactLocation": {"uri": "stdin"}, "region": {"startLine": 6}});
    assert_eq!(place, &expected);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let rules: BTreeSet<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let all = AuditFindingName::VARIANTS.iter().map(|name| name.as_str()).collect();
    assert_eq!(rules, all, "each finding is a rule");
}

#[rstest]
#[case::nothing(&[], 0, "")]
#[case::unprotected(&["--fail-on", "unprotected"], 1, "error: there are findings (--fail-on unprotected)\n")]
#[case::short(&["--fail-on", "short"], 1, "error: there are findings (--fail-on short)\n")]
#[case::any(&["--fail-on", "any"], 1, "error: there are findings (--fail-on any)\n")]
fn the_exit_code_says_whether_there_is_what_it_asks_for(
    #[case] flags: &[&str],
    #[case] code: i32,
    #[case] stderr: &str,
) {
    let run = audit(flags);
    assert_eq!((run.code, &*run.stderr), (code, stderr));
    assert!(run.stdout.ends_with("1 workload to which APISIX sends requests\n"), "{}", run.stdout);
}

#[test]
fn nothing_to_find_is_exit_code_0() {
    let mended = MANIFEST
        .replace("exec: {command: [nginx, -s, quit]}", "sleep: {seconds: 10}")
        .replace(", publishNotReadyAddresses: true", "");
    let run = run(&["audit", "-f", "-", "--fail-on", "any"], &mended);
    assert_eq!((run.code, &*run.stderr), (0, ""), "{}", run.stdout);
}

#[rstest]
#[case::unknown_finding(&["audit", "--fail-on", "all"], "--fail-on <FINDINGS>")]
#[case::namespace(&["audit", "-n", "../kube-system"], "--namespace <NAME>")]
#[case::pod(&["audit", "--explain", "../x"], "--explain <POD>")]
#[case::two_scopes(&["audit", "-A", "-n", "shop"], "--all-namespaces")]
#[case::files_and_a_pod(&["audit", "-f", "x", "--explain", "web"], "--explain <POD>")]
#[case::propagation(&["audit", "--propagation", "2h"], "--propagation <SECONDS>")]
#[case::missing_file(&["audit", "-f", "/does/not/exist"], "/does/not/exist")]
#[case::default_above_maximum(&["audit", "-f", "-", "--delay", "9", "--max-delay", "3"], "--delay 9s is above --max-delay 3s")]
fn bad_input_is_named_with_exit_code_2(#[case] args: &[&str], #[case] named: &str) {
    let run = run(args, "");
    assert_eq!((run.code, &*run.stdout), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains(named), "{named:?} is not in {:?}", run.stderr);
}

/// Names in a manifest do not steer the terminal, nor end a cell.
#[test]
fn what_comes_in_is_printed_harmlessly() {
    let evil = MANIFEST.replace("name: app, readiness", "name: \"a|`\\e[2Jb\\n\", readiness");
    for format in ["table", "wide", "markdown"] {
        let run = run(&["audit", "-f", "-", "-o", format], &evil);
        assert!(run.stdout.contains("stops the server"), "{}", run.stdout);
        let is_bad = |c: char| c.is_control() && c != '\n';
        assert!(!run.stdout.contains(is_bad), "{format}: {:?}", run.stdout);
    }
}
