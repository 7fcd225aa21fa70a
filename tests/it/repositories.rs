//! `inject` and `uninject` on what is in real repositories: files that are not whole objects, that
//! are broken, encrypted or huge, and diffs that `git apply` has to take.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use apisix_prestop::manifests::{ApplyOptions, ManifestSource, Operation, apply};
use rstest::rstest;

use super::manifests::{Run, inject, policy, run, run_in, uninject};

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        image: x
";

fn report(text: &str, operation: &Operation) -> (String, String) {
    let source = Ok(ManifestSource::of("web.yaml", text));
    let (changed, report) = apply(vec![source], operation, ApplyOptions::default()).unwrap();
    (changed[0].after().to_owned(), report.to_string())
}

fn with(line: &str, instead: &str) -> String {
    assert!(DEPLOYMENT.contains(line), "{line}");
    DEPLOYMENT.replace(line, instead)
}

// ---- Left alone --------------------------------------------------------------------------------

#[rstest]
#[case::container_without_an_image(&with("        image: x\n", ""), "container web has no image")]
#[case::container_with_an_empty_image(&with("image: x", "image: ''"), "container web has no image")]
#[case::lifecycle_that_is_removed(&with("image: x", "image: x\n        lifecycle: null"), "container web sets lifecycle to null")]
#[case::container_that_is_removed(&with("image: x", "$patch: delete"), "$patch is set")]
#[case::list_that_is_replaced(&with("      containers:", "      $retainKeys: [containers]\n      containers:"), "$retainKeys is set")]
#[case::order_of_a_list(&with("      containers:", "      $setElementOrder/containers: [{name: web}]\n      containers:"), "$setElementOrder/containers is set")]
#[case::init_container_without_an_image(&with("      containers:", "      initContainers:\n      - name: init\n      containers:"), "container init has no image")]
fn a_patch_of_kustomize_stays_as_it_is(#[case] text: &str, #[case] why: &str) {
    let (after, report) = report(text, &Operation::Inject(policy()));
    assert_eq!(after, text, "{report}");
    let line = format!(
        "deployment/web: notice: unchanged: {why}, as in a patch of kustomize: inject the output of \
         kustomize build\n0 changed, 1 unchanged, 0 without Pods, 1 notice"
    );
    assert_eq!(report, line);
}

#[rstest]
#[case::inject(DEPLOYMENT, Operation::Inject(policy()))]
#[case::uninject(&inject(DEPLOYMENT), Operation::Uninject)]
fn a_file_that_sops_has_encrypted_stays_as_it_is(#[case] text: &str, #[case] operation: Operation) {
    let text = format!("{text}sops:\n  mac: ENC[x]\n");
    let (after, report) = report(&text, &operation);
    assert_eq!(after, text, "{report}");
    let line = "deployment/web: notice: unchanged: encrypted by SOPS, which would notice the \
                change: decrypt it first\n";
    assert!(report.starts_with(line), "{report}");
}

#[rstest]
#[case::yaml(
    "kind: List\napiVersion: v1\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata: {name: web}\n  spec: {containers: [{name: web, image: x}]}\nsops: {mac: a}\n"
)]
#[case::json(r#"{"kind": "List", "apiVersion": "v1", "sops": {"mac": "a"}, "items": [{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "x"}]}}]}"#)]
fn a_list_that_sops_has_encrypted_stays_as_it_is(#[case] text: &str) {
    let (after, report) = report(text, &Operation::Inject(policy()));
    assert_eq!(after, text, "{report}");
    assert!(report.starts_with("pod/web: notice: unchanged: encrypted by SOPS"), "{report}");
}

// ---- Notices -----------------------------------------------------------------------------------

#[test]
fn a_notice_names_the_item_of_the_list() {
    let list = "\
kind: PodList
apiVersion: v1
items:
- metadata: {name: one}
  spec: {containers: [{name: app, image: x}]}
- metadata: {name: two, name: two}
  spec: {containers: [{name: app, image: x, lifecycle: {preStop: {sleep: {seconds: 9}}}}]}
";
    let (_, report) = report(list, &Operation::Inject(policy()));
    let line = "pod/two: notice: line 6: duplicate key /metadata/name, first on line 6: the last one counts\n";
    assert!(report.contains(line), "{report}");
}

#[test]
fn a_notice_of_a_loss_names_the_only_object_that_changes() {
    let list = "\
kind: PodList
apiVersion: v1
items:
- metadata: {name: one, labels: {apisix-prestop/inject: disabled}}
  spec: &spec {containers: [{name: app, image: x}]}
- metadata: {name: two}
  spec: *spec
";
    let (_, report) = report(list, &Operation::Inject(policy()));
    let line = "pod/two: notice: line 7: *spec is written out";
    assert!(report.contains(line), "{report}");
}

#[rstest]
#[case::opt_out_on_the_deployment(
    &with("  name: web\nspec", "  name: web\n  labels: {apisix-prestop/inject: disabled}\nspec"),
    "apisix-prestop/inject has no effect on the Deployment itself: write it under \
     spec.template.metadata.labels"
)]
#[case::delay_on_the_deployment(
    &with("  name: web\nspec", "  name: web\n  annotations: {apisix-prestop/delay: 9s}\nspec"),
    "apisix-prestop/delay has no effect on the Deployment itself: write it under \
     spec.template.metadata.annotations"
)]
#[case::delay_on_a_cron_job(
    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: web, annotations: {apisix-prestop/delay: 9s}}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: web, image: x}]}}}}}\n",
    "apisix-prestop/delay has no effect on the CronJob itself: write it under \
     spec.jobTemplate.spec.template.metadata.annotations"
)]
#[case::duplicate_key(
    &with("        image: x\n", "        image: x\n        image: z\n"),
    "line 11: duplicate key /spec/template/spec/containers/0/image, first on line 10: the last one counts"
)]
#[case::duplicate_key_spelt_otherwise(
    &with("        image: x\n", "        image: x\n        \"image\": z\n"),
    "line 11: duplicate key /spec/template/spec/containers/0/image, first on line 10: the last one counts"
)]
#[case::a_long_name_in_full(
    &with("    spec:\n", "    metadata:\n      annotations:\n        apisix-prestop/container-delays: a-container-with-quite-a-long-name=5s\n    spec:\n"),
    "apisix-prestop/container-delays: no regular container \"a-container-with-quite-a-long-name\"; ignored"
)]
fn a_notice_says_what_to_do(#[case] text: &str, #[case] notice: &str) {
    let (_, report) = report(text, &Operation::Inject(policy()));
    let line = format!("/web: notice: {notice}\n");
    assert!(report.contains(&line), "expected {line:?} in:\n{report}");
}

#[test]
fn a_name_from_a_manifest_cannot_steer_the_terminal() {
    let (_, report) = report("\"\\e\": 1\n\"\\e\": 2\n", &Operation::Inject(policy()));
    assert!(report.contains("duplicate key /\u{fffd}, first on line 1"), "{report}");
}

// ---- Uninject ----------------------------------------------------------------------------------

#[rstest]
#[case::hook_and_grace(
    "name: web\n        image: x\n      terminationGracePeriodSeconds: 3",
    "seconds: 5",
    "seconds: 7",
    "deployment/web: notice: container web: its hook was changed since, and stays\n\
     deployment/web: notice: terminationGracePeriodSeconds stays 15: that hook needs it\n"
)]
#[case::grace_alone(
    "name: web\n        image: x\n      terminationGracePeriodSeconds: 3",
    "terminationGracePeriodSeconds: 15",
    "terminationGracePeriodSeconds: 90",
    "deployment/web: notice: terminationGracePeriodSeconds stays 90: it was changed since\n"
)]
#[case::one_of_two_hooks(
    "name: web\n        image: x\n      - name: log\n        image: x",
    "name: web\n        image: x\n        lifecycle:\n          preStop:\n            sleep:\n              seconds: 5",
    "name: web\n        image: x\n        lifecycle:\n          preStop:\n            sleep:\n              seconds: 6",
    "deployment/web: notice: container web: its hook was changed since, and stays\n"
)]
fn uninject_says_what_stays(
    #[case] container: &str,
    #[case] part: &str,
    #[case] edited: &str,
    #[case] notices: &str,
) {
    let injected = inject(&with("name: web\n        image: x", container));
    assert!(injected.contains(part), "{injected}");
    let edited_text = injected.replacen(part, edited, 1);
    let (after, report) = report(&edited_text, &Operation::Uninject);
    let last = edited.lines().last().unwrap();
    assert!(after.contains(last), "{edited} stays in:\n{after}");
    assert!(!after.contains("injected"), "{after}");
    assert!(report.contains(notices), "expected {notices}\nin {report}");
}

/// As docs/inject.md says.
#[test]
fn a_prepended_hook_comes_back_with_its_words_but_not_with_its_quotes() {
    let hook =
        "image: x\n        lifecycle:\n          preStop: {exec: {command: ['/bin/stop', now]}}";
    let annotation =
        "    metadata:\n      annotations: {apisix-prestop/existing-hook: prepend}\n    spec:\n";
    let text = with("    spec:\n", annotation).replace("image: x", hook);
    let back = uninject(&inject(&text));
    assert_eq!(back, text.replace("['/bin/stop', now]", "[\"/bin/stop\", \"now\"]"));
}

// ---- Broken files ------------------------------------------------------------------------------

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

#[test]
fn what_cannot_be_read_is_skipped_and_reported_all_at_once() {
    let half = format!("{DEPLOYMENT}---\na: [\n");
    let number = DEPLOYMENT.replace(
        "    spec:\n",
        "    metadata: {annotations: {apisix-prestop/delay: 15}}\n    spec:\n",
    );
    let directory = directory(&[
        ("a.yaml", DEPLOYMENT.as_bytes()),
        ("chart.yaml", b"a: 1\n{{- if .Values.x }}\nb: 2\n{{- end }}\n"),
        ("half.yaml", half.as_bytes()),
        ("latin1.yaml", b"a: b\nc: \xff\n"),
        ("number.yaml", number.as_bytes()),
        ("settings.json", b"{\n  // comment\n  \"a\": 1\n}\n"),
        ("z.yaml", b"kind: X\n"),
    ]);
    let path = |name: &str| directory.path().join(name).display().to_string();
    let Run { code, stdout, stderr } =
        run(&["inject", "-f", &path(""), "--hook=sleep", "--skip-unreadable"], "");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout, format!("{}---\nkind: X\n", inject(DEPLOYMENT)));
    for line in [
        format!("notice: skipped: {}:2: document 1: column", path("chart.yaml")),
        "(it looks like a template of Helm: inject the output of helm template)".to_owned(),
        format!("notice: skipped: {}:12: document 2: column", path("half.yaml")),
        format!("notice: skipped: {}:2: not UTF-8", path("latin1.yaml")),
        format!(
            "notice: skipped: {}:7: document 1: deployment/web: apisix-prestop/delay: 15 is not a string: write \"15\"",
            path("number.yaml")
        ),
        format!("notice: skipped: {}:2: document 1: column", path("settings.json")),
        "(it looks like JSON with comments, which Kubernetes does not read)".to_owned(),
        "1 changed, 0 unchanged, 1 without Pods, 5 files skipped, 5 notices".to_owned(),
    ] {
        assert!(stderr.contains(&line), "expected {line:?} in:\n{stderr}");
    }
    assert_eq!(
        stderr.matches("half.yaml").count(),
        1,
        "its first document is not reported: {stderr}"
    );
    let Run { code, stdout, .. } = run(&["inject", "-f", &path("")], "");
    assert_eq!((code, &*stdout), (2, ""), "without the flag nothing is written");
}

#[rstest]
#[case::little_endian(u16::to_le_bytes, [0xff, 0xfe])]
#[case::big_endian(u16::to_be_bytes, [0xfe, 0xff])]
fn a_file_of_windows_is_read(#[case] bytes: fn(u16) -> [u8; 2], #[case] mark: [u8; 2]) {
    let text: Vec<u8> = mark.into_iter().chain(DEPLOYMENT.encode_utf16().flat_map(bytes)).collect();
    let directory = directory(&[("web.yaml", &text)]);
    let path = directory.path().join("web.yaml").display().to_string();
    let Run { code, stdout, stderr } = run(&["inject", "-f", &path, "--hook=sleep"], "");
    assert_eq!((code, stdout), (0, inject(DEPLOYMENT)), "{stderr}");
    let notice = "text: notice: UTF-16 is read, and UTF-8 is written\n";
    assert!(stderr.contains(notice), "{stderr}");
}

// ---- Diffs -------------------------------------------------------------------------------------

/// `inject --output diff` in `directory`, taken by `git apply` in the same place.
fn applied(directory: &Path, file: &str) {
    let Run { code, stdout, stderr } =
        run_in(directory, &["inject", "-f", file, "--hook=sleep", "--output=diff"], "");
    assert_eq!(code, 0, "{stderr}");
    let mut git = Command::new("git");
    let git = git.args(["apply", "--whitespace=nowarn", "-"]).current_dir(directory);
    let mut git = git.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut git.stdin.take().unwrap(), stdout.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git apply: {said}\n{stdout}");
}

#[rstest]
#[case::plain("web.yaml")]
#[case::hidden_directory(".k8s/web.yaml")]
#[case::with_a_dot("./deploy/web.yaml")]
#[case::up_and_down("deploy/../deploy/web.yaml")]
#[case::spaces("my deploy/my web.yaml")]
#[case::tab("a\tb.yaml")]
#[case::quotes("a\"b.yaml")]
#[case::backslash("a\\b.yaml")]
#[case::not_ascii("größe/日本.yaml")]
fn git_applies_a_diff_to_the_file_that_it_is_of(#[case] file: &str) {
    let directory = directory(&[("deploy/keep", b""), (file, DEPLOYMENT.as_bytes())]);
    applied(directory.path(), file);
    assert_eq!(fs::read_to_string(directory.path().join(file)).unwrap(), inject(DEPLOYMENT));
}

#[test]
fn git_applies_a_diff_of_a_file_by_its_absolute_path_and_in_a_subdirectory() {
    let directory = directory(&[("sub/web.yaml", DEPLOYMENT.as_bytes())]);
    let sub = directory.path().canonicalize().unwrap().join("sub");
    applied(&sub, &sub.join("web.yaml").display().to_string());
    assert_eq!(fs::read_to_string(sub.join("web.yaml")).unwrap(), inject(DEPLOYMENT));
}

#[test]
fn git_applies_a_diff_of_a_file_without_a_final_line_break() {
    let text = DEPLOYMENT.trim_end();
    let directory = directory(&[("web.yaml", text.as_bytes())]);
    applied(directory.path(), "web.yaml");
    assert_eq!(fs::read_to_string(directory.path().join("web.yaml")).unwrap(), inject(text));
}

#[test]
fn a_diff_of_a_file_outside_of_the_working_directory_is_refused() {
    let directory = directory(&[
        ("deploy/web.yaml", DEPLOYMENT.as_bytes()),
        ("sub/deploy/web.yaml", b"a: 1\n"),
    ]);
    let sub = directory.path().join("sub");
    let args = ["inject", "-f", "deploy/web.yaml", "-f", "../deploy/web.yaml", "--output=diff"];
    let Run { code, stdout, stderr } = run_in(&sub, &args, "");
    assert_eq!((code, &*stdout), (2, ""), "nothing is half-written");
    let line =
        "error: ../deploy/web.yaml: --output diff needs files in or below the working directory";
    assert_eq!(stderr.lines().last(), Some(line), "{stderr}");
}

// ---- Size --------------------------------------------------------------------------------------

/// The most memory that the program takes for `text`, in bytes, and its seconds of CPU.
fn cost(text: &str) -> (f64, f64) {
    let directory = directory(&[("big.yaml", text.as_bytes())]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_apisix-prestop"))
        .args(["inject", "--hook=sleep", "-f", "big.yaml"])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // It writes when all is done, and a pipe does not hold all.
    let mut first = [0];
    std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
    let peak = support::proc::peak_resident(child.id()).unwrap() * 1024;
    let seconds = support::proc::cpu_seconds(child.id()).unwrap();
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success());
    (peak as f64, seconds)
}

fn json_deployment(number: usize) -> String {
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web-{number}"}},"spec":{{"template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"name":"web","image":"registry.example/web:1.2.3","env":[{{"name":"A","value":"b"}}]}}]}}}}}}}}"#
    )
}

/// A Deployment as `kubectl get -o yaml` writes it.
fn yaml_item() -> String {
    format!("- {}", DEPLOYMENT.trim_end().replace('\n', "\n  ")) + "\n"
}

/// About `size` bytes of objects, with `separator` between them.
fn many(size: usize, object: impl Fn(usize) -> String, separator: &str) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() > size {
            break;
        }
        let _ = write!(text, "{}{separator}", object(number));
    }
    text.truncate(text.len() - separator.len());
    text
}

/// Memory is that of the text, its result and one document; time is linear.
#[rstest]
#[case::yaml(|size| many(size, |_| DEPLOYMENT.to_owned(), "---\n"))]
#[case::json_lines(|size| many(size, json_deployment, "\n"))]
#[case::json_in_one_line(|size| many(size, json_deployment, ""))]
#[case::json_list_in_one_line(|size| format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, many(size, json_deployment, ",")))]
#[case::yaml_list(|size| format!("apiVersion: v1\nitems:\n{}kind: List\n", many(size, |_| yaml_item(), "")))]
fn a_large_file_costs_little_memory_and_linear_time(#[case] text: fn(usize) -> String) {
    const SIZE: usize = 200_000;
    let (few, some) = (text(SIZE), text(4 * SIZE));
    let ((less, quick), (more, slow)) = (cost(&few), cost(&some));
    // The program itself takes some megabytes.
    let per_byte = (more - less) / (some.len() - few.len()) as f64;
    println!("{per_byte:.1} bytes a byte; {quick:.2} s, and {slow:.2} s for four times as much");
    assert!(per_byte < 12.0, "{per_byte:.1} bytes of memory for each byte of the text");
    // Four times as much takes four times as long; quadratic time would be 16.
    assert!(slow < 9.0 * quick, "{quick} s, and {slow} s for four times as much");
}
