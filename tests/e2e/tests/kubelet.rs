//! The hooks on the real kubelet: when SIGTERM comes, and when the Pod is gone.
//!
//! Each Pod is deleted while its log is followed. The log's timestamps, which the container
//! runtime writes, tell what happened when.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use apisix_prestop_e2e::{
    command::run,
    image::{fixtures_image, shell_image},
    installation,
    namespace::{OPTED_IN, with_namespace},
};
use futures::{AsyncBufReadExt, TryStreamExt, future::try_join_all};
use k8s_openapi::{
    api::{
        batch::v1::Job,
        core::v1::{Event, Pod},
    },
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, LogParams, PostParams},
    runtime::wait::{await_condition, conditions},
};
use serde_json::{Value, json};
use support::eventually;
use tokio::{task::JoinHandle, time::timeout};

/// The delay of each Pod.
const DELAY: Duration = Duration::from_secs(3);
/// The largest difference between the clocks of this machine and of the node.
const CLOCKS: Duration = Duration::from_millis(250);
/// A kubelet that does not wait has sent SIGTERM by then. On a busy machine it takes up to 2 s to
/// hear of a deletion and to act on it.
const AT_ONCE: Duration = Duration::from_secs(5);
/// The delay of Pods whose sleep does not run: far more than [`AT_ONCE`].
const IN_VAIN: Duration = Duration::from_secs(15);
/// From SIGTERM until the Pod's object is gone, with the same allowance.
const CLEANUP: Duration = Duration::from_secs(10);
const EVENT_LIMIT: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(60);

/// A container in an image with a shell. It says when it gets SIGTERM, and exits.
fn with_shell(name: &str) -> Value {
    let script = "trap 'echo sigterm; exit 0' TERM; echo started; sleep 600 & wait";
    json!({
        "name": name, "image": shell_image(), "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", script],
    })
}

/// The same in an image that has one program in it and no shell.
fn without_shell(name: &str) -> Value {
    let image = fixtures_image().unwrap();
    json!({
        "name": name, "image": image, "imagePullPolicy": "IfNotPresent",
        "args": ["workload", "--listen=[::]:8080"],
    })
}

fn pod(name: &str, delay: Duration, containers: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name,
            "annotations": {"apisix-prestop/delay": delay.as_secs().to_string()},
        },
        "spec": {"containers": containers, "terminationGracePeriodSeconds": 30},
    })
}

fn native_sleep() -> Value {
    json!({"sleep": {"seconds": DELAY.as_secs()}})
}

fn exec_sleep(delay: Duration) -> Value {
    let sleep = format!("sleep {}", delay.as_secs());
    json!({"exec": {"command": ["/bin/sh", "-c", sleep]}})
}

/// The preStop hook of each container.
fn hooks(pod: &Pod) -> Vec<Value> {
    let containers = &pod.spec.as_ref().unwrap().containers;
    containers
        .iter()
        .map(|c| serde_json::to_value(c.lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref())))
        .collect::<Result<_, _>>()
        .unwrap()
}

fn grace(pod: &Pod) -> Option<i64> {
    pod.spec.as_ref()?.termination_grace_period_seconds
}

async fn create(pods: &Api<Pod>, pod: Value) -> Result<Pod> {
    let pod = serde_json::from_value(pod)?;
    Ok(pods.create(&PostParams::default(), &pod).await?)
}

/// A line of a container's log, and when the container wrote it.
#[derive(Clone, Debug)]
struct Line {
    at: SystemTime,
    text: String,
}

impl Line {
    fn parse(line: &str) -> Result<Self> {
        let (at, text) = line.split_once(' ').context("a line without a timestamp")?;
        let at: Timestamp = at.parse().with_context(|| format!("no timestamp: {line:?}"))?;
        Ok(Self { at: at.into(), text: text.to_owned() })
    }
}

/// How a Pod ended.
#[derive(Debug)]
struct Stopped {
    deleted: SystemTime,
    /// From the deletion until the API server no longer had the Pod.
    gone: Duration,
    /// What each container wrote, by its name.
    logs: BTreeMap<String, Vec<Line>>,
}

impl Stopped {
    /// How long after the deletion a line that contains `text` was written.
    fn time_to(&self, container: &str, text: &str) -> Duration {
        let lines = &self.logs[container];
        let line = lines.iter().find(|line| line.text.contains(text));
        let line = line.unwrap_or_else(|| panic!("{container} never said {text:?}: {self:#?}"));
        line.at.duration_since(self.deleted).unwrap_or_default()
    }

    /// Asserts that the container got SIGTERM after the delay, and that the Pod ended then.
    fn assert_waited(&self, container: &str) {
        let sigterm = self.time_to(container, "sigterm");
        assert!(
            sigterm + CLOCKS >= DELAY,
            "SIGTERM has to wait {DELAY:?} in {container}, not {sigterm:?}: {self:#?}"
        );
        assert!(
            self.gone < DELAY + CLEANUP,
            "the Pod has to be gone soon after SIGTERM, not after {:?}: {self:#?}",
            self.gone
        );
    }
}

/// Waits until all of the Pod's containers run, deletes it, and waits until it is gone.
async fn stop(pods: &Api<Pod>, pod: &Pod) -> Result<Stopped> {
    let name = pod.name_any();
    let namespace = pod.namespace().context("a Pod without a namespace")?;
    let ready = ["-n", &namespace, "wait", "--for=condition=Ready", "pod", &name, "--timeout=60s"];
    run("kubectl", &ready).await?;
    let containers = &pod.spec.as_ref().context("a Pod without a spec")?.containers;
    let mut logs = Vec::new();
    for container in containers {
        let lines = follow(pods, &name, &container.name).await?;
        logs.push((container.name.clone(), lines));
    }

    let deleted = SystemTime::now();
    let began = Instant::now();
    pods.delete(&name, &DeleteParams::default()).await?;
    let uid = pod.uid().context("a Pod without a UID")?;
    let until_gone = await_condition(pods.clone(), &name, conditions::is_deleted(&uid));
    timeout(LIMIT, until_gone).await.with_context(|| format!("{name} does not end"))??;
    let gone = began.elapsed();

    let mut stopped = Stopped { deleted, gone, logs: BTreeMap::new() };
    for (container, lines) in logs {
        let lines = timeout(LIMIT, lines)
            .await
            .with_context(|| format!("the log of {name} does not end"))???;
        stopped.logs.insert(container, lines);
    }
    Ok(stopped)
}

/// Waits for the first line of a container's log, after which it is ready for SIGTERM, and
/// gathers the others until it ends. The log is gone when the Pod is.
async fn follow(
    pods: &Api<Pod>,
    name: &str,
    container: &str,
) -> Result<JoinHandle<Result<Vec<Line>>>> {
    let params = LogParams {
        container: Some(container.to_owned()),
        follow: true,
        timestamps: true,
        ..LogParams::default()
    };
    let mut lines = pods.log_stream(name, &params).await?.lines();
    let first = timeout(LIMIT, lines.try_next()).await??;
    let first = first.with_context(|| format!("{container} of {name} ended without a word"))?;
    Ok(tokio::spawn(async move {
        let mut all = vec![Line::parse(&first)?];
        while let Some(line) = lines.try_next().await? {
            all.push(Line::parse(&line)?);
        }
        Ok(all)
    }))
}

/// Waits until there is an Event about the Pod with this reason.
async fn await_event(client: &Client, namespace: &str, pod: &str, reason: &str) -> Result<Event> {
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    let about = format!("involvedObject.name={pod},reason={reason}");
    let what = format!("an Event {reason} about {pod}");
    let event = eventually(&what, EVENT_LIMIT, async || {
        let found = events.list(&ListParams::default().fields(&about)).await?;
        found.items.into_iter().next().context("there is none")
    });
    Ok(event.await?)
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_native_sleep_delays_sigterm_with_and_without_a_shell() -> Result<()> {
    with_namespace("native", OPTED_IN, async |client, namespace| {
        let pods = Api::<Pod>::namespaced(client, namespace);
        let created = [
            create(&pods, pod("shell", DELAY, json!([with_shell("app")]))).await?,
            create(&pods, pod("no-shell", DELAY, json!([without_shell("app")]))).await?,
        ];
        for pod in &created {
            assert_eq!(hooks(pod), [native_sleep()], "{}", pod.name_any());
        }
        for stopped in try_join_all(created.iter().map(|pod| stop(&pods, pod))).await? {
            stopped.assert_waited("app");
        }
        Ok(())
    })
    .await
}

/// The reason for `hook: auto`: exec works in any Kubernetes, but not in any image.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn an_exec_hook_delays_sigterm_with_a_shell_and_protects_nothing_without() -> Result<()> {
    with_namespace("exec", OPTED_IN, async |client, namespace| {
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        installation::install(&client, &["injection.hook=exec"]).await?;
        let shell = create(&pods, pod("shell", DELAY, json!([with_shell("app")]))).await;
        let no_shell = create(&pods, pod("no-shell", IN_VAIN, json!([without_shell("app")]))).await;
        // An existing Pod keeps its hook.
        installation::install(&client, &[]).await?;
        let created = [shell?, no_shell?];
        let expected = [exec_sleep(DELAY), exec_sleep(IN_VAIN)];
        assert_eq!(created.each_ref().map(hooks).concat(), expected);

        let stopped = try_join_all(created.iter().map(|pod| stop(&pods, pod))).await?;
        stopped[0].assert_waited("app");
        let sigterm = stopped[1].time_to("app", "sigterm");
        assert!(
            sigterm < AT_ONCE,
            "without a shell SIGTERM comes at once, not after {sigterm:?}: {stopped:#?}"
        );
        assert!(stopped[1].gone < CLEANUP, "without a shell the Pod ends at once: {stopped:#?}");
        let event = await_event(&client, namespace, "no-shell", "FailedPreStopHook").await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"), "{event:#?}");
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_sidecar_lives_as_long_as_the_application() -> Result<()> {
    with_namespace("sidecar", OPTED_IN, async |client, namespace| {
        let pods = Api::<Pod>::namespaced(client, namespace);
        let containers = json!([without_shell("app"), with_shell("sidecar")]);
        let created = create(&pods, pod("two", DELAY, containers)).await?;
        assert_eq!(hooks(&created), [native_sleep(), native_sleep()]);

        let stopped = stop(&pods, &created).await?;
        stopped.assert_waited("app");
        stopped.assert_waited("sidecar");
        let app = stopped.time_to("app", "sigterm");
        let sidecar = stopped.time_to("sidecar", "sigterm");
        assert!(
            app.abs_diff(sidecar) < DELAY / 2,
            "both sleep at the same time, not one after the other: {app:?}, {sidecar:?}"
        );
        Ok(())
    })
    .await
}

/// A shorter grace period cuts the sleep; with 0 s the kubelet allows 1 s, and the API server removes
/// the Pod immediately. The injected grace period has to cover the sleep.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_grace_period_that_is_too_short_becomes_long_enough() -> Result<()> {
    with_namespace("grace", OPTED_IN, async |client, namespace| {
        let pods = Api::<Pod>::namespaced(client, namespace);
        let mut created = Vec::new();
        for asked in [0, 1] {
            let mut short = pod(&format!("asks-for-{asked}"), DELAY, json!([without_shell("app")]));
            short["spec"]["terminationGracePeriodSeconds"] = json!(asked);
            let short = create(&pods, short).await?;
            assert_eq!(
                (hooks(&short), grace(&short)),
                (vec![native_sleep()], Some(13)),
                "3 s for the sleep and 10 s for the shutdown: {}",
                short.name_any()
            );
            created.push(short);
        }
        for stopped in try_join_all(created.iter().map(|pod| stop(&pods, pod))).await? {
            stopped.assert_waited("app");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_job_completes_without_delay() -> Result<()> {
    with_namespace("job", OPTED_IN, async |client, namespace| {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "short"},
            "spec": {"template": {
                "metadata": {
                    "annotations": {"apisix-prestop/delay": IN_VAIN.as_secs().to_string()},
                },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "task", "image": shell_image(), "imagePullPolicy": "IfNotPresent",
                        "command": ["/bin/sh", "-c", "sleep 1; echo done"],
                    }],
                },
            }},
        });
        let jobs = Api::<Job>::namespaced(client.clone(), namespace);
        jobs.create(&PostParams::default(), &serde_json::from_value(job)?).await?;
        let until_complete = await_condition(jobs, "short", conditions::is_job_completed());
        timeout(LIMIT, until_complete).await.context("the Job does not complete")??;
        let complete = SystemTime::now();

        let pods = Api::<Pod>::namespaced(client, namespace);
        let of_job = ListParams::default().labels("batch.kubernetes.io/job-name=short");
        let pod = pods.list(&of_job).await?.items.pop();
        let pod = pod.context("the Job has no Pod")?;
        assert_eq!(hooks(&pod), [Value::Null], "a Job's Pod is left alone");
        assert_eq!(grace(&pod), Some(30), "a Job's Pod is left alone");
        let timestamps = LogParams { timestamps: true, ..LogParams::default() };
        let log = pods.logs(&pod.name_any(), &timestamps).await?;
        let done = Line::parse(log.trim_end())?.at;
        let lag = complete.duration_since(done).unwrap_or_default();
        assert!(
            lag < AT_ONCE,
            "from the container's exit until the Job is complete it took {lag:?}"
        );
        Ok(())
    })
    .await
}

/// Its author's hook needs quotes and spaces, and takes a second: what it says tells whether it
/// came through unharmed, and whether SIGTERM waits for all of it.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn a_sleep_that_is_prepended_comes_before_the_hook_of_the_author() -> Result<()> {
    with_namespace("prepend", OPTED_IN, async |client, namespace| {
        let pods = Api::<Pod>::namespaced(client, namespace);
        let own = "echo \"it's  my $((6 * 7))nd 'hook'\" > /proc/1/fd/1; sleep 1; \
                   echo own hook ends > /proc/1/fd/1";
        let mut container = with_shell("app");
        container["lifecycle"] = json!({"preStop": {"exec": {"command": ["/bin/sh", "-c", own]}}});
        let mut prepended = pod("prepend", DELAY, json!([container]));
        prepended["metadata"]["annotations"]["apisix-prestop/existing-hook"] = json!("prepend");
        let created = create(&pods, prepended).await?;

        let stopped = stop(&pods, &created).await?;
        let begins = stopped.time_to("app", "it's  my 42nd 'hook'");
        let ends = stopped.time_to("app", "own hook ends");
        let sigterm = stopped.time_to("app", "sigterm");
        assert!(
            begins + CLOCKS >= DELAY,
            "the author's hook has to come after the sleep of {DELAY:?}, not after {begins:?}: \
             {created:#?}"
        );
        assert!(
            begins < ends && ends < sigterm,
            "SIGTERM has to come after all of the author's hook: {stopped:#?}"
        );
        assert!(
            stopped.gone < DELAY + Duration::from_secs(1) + CLEANUP,
            "the Pod has to be gone soon after SIGTERM: {stopped:#?}"
        );
        Ok(())
    })
    .await
}
