//! Self-managed certificates on a real API server: replicas that start at the same moment, and
//! faults that they repair.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use apisix_prestop::{constants::CERTIFICATE_CHECK_INTERVAL, tls::certified_key};
use apisix_prestop_e2e::{
    command::{repository, run},
    installation::{self, NAME, SECRET},
    namespace::{OPTED_IN, ensure, with_values},
    provided_certificate::{self, Pair},
    replica::{self, Replica},
    storm,
};
use futures::{
    FutureExt,
    future::{BoxFuture, try_join_all},
};
use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod, core::v1::Secret,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use support::eventually;
use tokio::time::sleep;

/// Longer than a replica takes to look at its clock.
const CLOCK_STORM: Duration = CERTIFICATE_CHECK_INTERVAL.saturating_add(Duration::from_secs(5));
const FAULT_STORM: Duration = Duration::from_secs(6);
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
const HEAL_LIMIT: Duration = Duration::from_secs(120);

/// The replicas under test, and where Pods are created to see whether they are reached.
struct Webhook {
    client: Client,
    namespace: String,
    count: u16,
    replicas: Vec<Replica>,
}

impl Webhook {
    /// Starts all replicas at the same moment, and waits until they are ready.
    async fn start(&mut self, more: &[(&str, String)]) -> Result<()> {
        let args = [
            "--tls=self-managed".to_owned(),
            format!("--namespace={NAME}"),
            format!("--service={NAME}"),
            format!("--tls-secret={SECRET}"),
            format!("--webhook-configuration={NAME}"),
            "--hook=sleep".to_owned(),
            "--events=false".to_owned(),
            "--upstreams=false".to_owned(),
        ];
        let start = |number| Replica::start(number, &args, more);
        self.replicas = (0..self.count).map(start).collect::<Result<_>>()?;
        try_join_all(self.replicas.iter_mut().map(Replica::ready)).await?;
        Ok(())
    }

    async fn kill(&mut self) -> Result<()> {
        try_join_all(self.replicas.drain(..).map(Replica::kill)).await?;
        Ok(())
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAME)
    }

    fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// The content of the Secret, as text.
    async fn secret(&self) -> Result<BTreeMap<String, String>> {
        let secret = self.secrets().get(SECRET).await?;
        let data = secret.data.unwrap_or_default().into_iter();
        Ok(data.map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned())).collect())
    }

    /// The CAs that the API server trusts.
    async fn bundle(&self) -> Result<String> {
        let configuration = self.configurations().get(NAME).await?;
        let webhook = configuration.webhooks.and_then(|mut webhooks| webhooks.pop());
        let bundle = webhook.and_then(|webhook| webhook.client_config.ca_bundle);
        Ok(String::from_utf8(bundle.context("no caBundle")?.0)?)
    }

    /// Creates a Pod with a dry run, and returns whether it has the hook.
    async fn answers(&self) -> Result<bool> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let pod = json!({
            "metadata": {"generateName": "call-"},
            "spec": {"containers": [{"name": "app", "image": "none"}]},
        });
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        Ok(storm::has_hook(&pods.create(&dry_run, &serde_json::from_value(pod)?).await?))
    }

    /// Checks that everything is in order: each replica serves the certificate in the Secret, is
    /// ready, the API server trusts it and gets an answer.
    async fn check(&self) -> Result<()> {
        let secret = self.secret().await?;
        let bundle = self.bundle().await?;
        let ca = secret.get("ca.crt").context("the Secret has no ca.crt")?;
        anyhow::ensure!(!ca.is_empty() && bundle.contains(ca.trim()), "the CA is not in {bundle}");
        certified_key(secret["tls.crt"].as_bytes(), secret["tls.key"].as_bytes())?;
        for replica in &self.replicas {
            let served = replica.verify(&bundle).await?;
            let expected = CertificateDer::from_pem_slice(secret["tls.crt"].as_bytes())?;
            anyhow::ensure!(served == expected, "another certificate than that of the Secret");
            let readiness = replica.readiness().await?;
            anyhow::ensure!(readiness.contains(" 200 "), "{readiness}");
        }
        anyhow::ensure!(self.answers().await?, "a Pod goes without the hook");
        Ok(())
    }

    /// Waits until everything is in order.
    async fn healed(&self) -> Result<()> {
        let healed = eventually("it to heal", HEAL_LIMIT, async || self.check().await).await;
        if healed.is_err() {
            for replica in &self.replicas {
                println!("{}", replica.log()?);
            }
        }
        Ok(healed?)
    }

    /// Deletes the Secret, and creates it as Helm does: empty.
    async fn exchange_secret(&self) -> Result<()> {
        let Secret { metadata, .. } = self.secrets().get(SECRET).await?;
        let ObjectMeta { name, labels, annotations, .. } = metadata;
        let metadata = ObjectMeta { name, labels, annotations, ..ObjectMeta::default() };
        self.secrets().delete(SECRET, &DeleteParams::default()).await?;
        if !self.replicas.is_empty() {
            // They may not create it.
            sleep(Duration::from_secs(2)).await;
        }
        let empty = Secret { metadata, ..Secret::default() };
        self.secrets().create(&PostParams::default(), &empty).await?;
        Ok(())
    }

    async fn patch_secret(&self, data: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"stringData": data}));
        self.secrets().patch(SECRET, &PatchParams::default(), &patch).await?;
        Ok(())
    }
}

/// Runs a test with the chart installed without replicas, and with endpoints for `count` replicas
/// that the test starts itself.
async fn with_webhook(
    purpose: &str,
    values: &[&str],
    count: u16,
    test: impl AsyncFnOnce(&mut Webhook) -> Result<()>,
) -> Result<()> {
    if !replica::are_possible() {
        println!("{purpose}: left out, since replicas cannot be processes here");
        return Ok(());
    }
    with_values(purpose, OPTED_IN, values, async |client, namespace| {
        let scale = async |replicas: &str| {
            run("kubectl", &["-n", NAME, "scale", "deployment", NAME, replicas]).await
        };
        scale("--replicas=0").await?;
        let gone = ["-n", NAME, "wait", "--for=delete", "pod", "--all", "--timeout=60s"];
        run("kubectl", &gone).await?;
        replica::prepare(count).await?;
        let namespace = namespace.to_owned();
        let mut webhook = Webhook { client, namespace, count, replicas: Vec::new() };
        let result = AssertUnwindSafe(test(&mut webhook)).catch_unwind().await;
        webhook.kill().await?;
        replica::clean_up().await?;
        scale("--replicas=2").await?;
        result.unwrap_or_else(|panic| resume_unwind(panic))
    })
    .await
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn five_replicas_that_start_at_once_agree_on_one_ca() -> Result<()> {
    const ROUNDS: u32 = 12;
    const CALLS: usize = 20;
    with_webhook("five", &[], 5, async |webhook| {
        // kube-proxy learns of the endpoints before the test begins.
        webhook.start(&[]).await?;
        webhook.healed().await?;
        webhook.kill().await?;
        let mut slowest = Duration::ZERO;
        let mut cas = BTreeSet::new();
        for round in 1..=ROUNDS {
            webhook.exchange_secret().await?;
            empty_bundle(webhook).await?;
            assert!(webhook.bundle().await.is_err(), "round {round} begins with nothing");
            let began = Instant::now();
            webhook.start(&[]).await?;
            slowest = slowest.max(began.elapsed());

            let answers = try_join_all((0..CALLS).map(|_| webhook.answers())).await?;
            assert_eq!(answers, [true; CALLS], "round {round}: a call failed");
            let (secret, bundle) = (webhook.secret().await?, webhook.bundle().await?);
            assert_eq!(
                bundle.trim(),
                secret["ca.crt"].trim(),
                "round {round}: exactly the one CA of the Secret is trusted"
            );
            assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 1, "round {round}: {bundle}");
            for replica in &webhook.replicas {
                replica.verify(&bundle).await.with_context(|| format!("round {round}"))?;
            }
            webhook.kill().await?;
            assert!(cas.insert(bundle), "round {round}: a CA of an earlier round");
        }
        println!(
            "five replicas at once, {ROUNDS} times: one CA each time, {} calls, none failed, ready \
             after {} ms at the most",
            CALLS * ROUNDS as usize,
            slowest.as_millis()
        );
        Ok(())
    })
    .await
}

async fn empty_bundle(webhook: &Webhook) -> Result<()> {
    let patch = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": null}]);
    let patch = Patch::<()>::Json(serde_json::from_value(patch)?);
    webhook.configurations().patch(NAME, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// A fault, and whether a Pod may go without the hook because of it.
type Fault = (&'static str, bool, for<'a> fn(&'a Webhook) -> BoxFuture<'a, Result<()>>);

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_state_heals_by_itself() -> Result<()> {
    let faults: [Fault; 6] = [
        ("Secret deleted, and made anew 2 s later", false, |webhook| {
            Box::pin(webhook.exchange_secret())
        }),
        ("Secret that is not PEM", false, |webhook| {
            Box::pin(webhook.patch_secret(json!({"tls.crt": "no", "tls.key": "no"})))
        }),
        ("Secret with the key of another certificate", false, |webhook| {
            Box::pin(async {
                let key = KeyPair::generate()?.serialize_pem();
                webhook.patch_secret(json!({"tls.key": key})).await
            })
        }),
        ("Secret with an expired certificate", false, |webhook| {
            Box::pin(async { webhook.patch_secret(expired()?).await })
        }),
        ("caBundle emptied", true, |webhook| Box::pin(empty_bundle(webhook))),
        ("webhook configuration deleted, and made anew 3 s later", true, |webhook| {
            Box::pin(async {
                let configuration = webhook.configurations().get(NAME).await?;
                webhook.configurations().delete(NAME, &DeleteParams::default()).await?;
                sleep(Duration::from_secs(3)).await;
                webhook
                    .configurations()
                    .create(&PostParams::default(), &bare(configuration))
                    .await?;
                Ok(())
            })
        }),
    ];
    with_webhook("heal", &[], 3, async |webhook| {
        webhook.start(&[]).await?;
        webhook.healed().await?;
        for (name, may_miss, fault) in faults {
            let mut took = Duration::ZERO;
            let storm =
                storm::during(&webhook.client, &webhook.namespace, name, FAULT_STORM, async {
                    fault(webhook).await?;
                    let began = Instant::now();
                    webhook.healed().await.context(name)?;
                    took = began.elapsed();
                    Ok(())
                })
                .await?;
            println!("{storm}, healed after {} ms", took.as_millis());
            assert!(may_miss || storm.without_hook.is_empty(), "all have the hook: {storm:#?}");
        }
        Ok(())
    })
    .await
}

const TOOL: &str = "tests/cluster/cluster";

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn it_goes_on_when_the_api_server_was_away() -> Result<()> {
    let outages: [(&str, &[&str]); 2] = [
        ("API server restarted", &["restart", "kube-apiserver"]),
        ("etcd paused for 30 s", &["pause", "etcd", "30"]),
    ];
    with_webhook("outage", &[], 3, async |webhook| {
        webhook.start(&[]).await?;
        webhook.healed().await?;
        for (name, outage) in outages {
            run(TOOL, outage).await?;
            let began = Instant::now();
            webhook.healed().await.context(name)?;
            let healed = began.elapsed();
            // The replicas must still follow changes.
            let before = webhook.secret().await?;
            let began = Instant::now();
            webhook.exchange_secret().await?;
            webhook.healed().await.context(name)?;
            assert_eq!(webhook.secret().await?, before, "{name}: what was deleted is back");
            println!(
                "{name}: healed after {} ms, a Secret exchanged then after {} ms",
                healed.as_millis(),
                began.elapsed().as_millis()
            );
        }
        Ok(())
    })
    .await
}

/// The clock of the replicas jumps, and that of the API server does not: the API server must accept
/// every certificate that they issue.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_goes_without_the_hook_when_the_clock_jumps() -> Result<()> {
    let Some(library) = faketime() else {
        println!("clocks: left out, since libfaketime is not here");
        return Ok(());
    };
    with_webhook("clocks", &[], 3, async |webhook| {
        let clock = repository().join("target/e2e-clock");
        fs::write(&clock, "+0d")?;
        let environment = [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        webhook.start(&environment).await?;
        webhook.healed().await?;
        for (name, jump, may_miss) in [
            ("clocks 70 days ahead, when the certificate is renewed", "+70d", false),
            ("clocks 2 days behind, when nothing is valid yet", "-2d", true),
        ] {
            let mut took = Duration::ZERO;
            let event = async {
                fs::write(&clock, jump)?;
                let began = Instant::now();
                sleep(CERTIFICATE_CHECK_INTERVAL).await;
                webhook.healed().await.context(name)?;
                took = began.elapsed();
                Ok(())
            };
            let (client, namespace) = (&webhook.client, &webhook.namespace);
            let storm = storm::during(client, namespace, name, CLOCK_STORM, event).await?;
            println!("{storm}, healed after {} ms", took.as_millis());
            assert!(may_miss || storm.without_hook.is_empty(), "all have the hook: {storm:#?}");
        }
        Ok(())
    })
    .await
}

/// The library that gives a program another clock.
fn faketime() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.filter(|path| path.exists()).map(|path| path.display().to_string()).next()
}

/// An expired certificate with all that belongs to it.
fn expired() -> Result<Value> {
    let pair = Pair::new(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    })?;
    Ok(json!(pair.files()))
}

/// As an installer would make it again: without what only an API server or the webhook sets.
fn bare(mut configuration: MutatingWebhookConfiguration) -> MutatingWebhookConfiguration {
    configuration.metadata.resource_version = None;
    configuration.metadata.uid = None;
    configuration.metadata.managed_fields = None;
    for webhook in configuration.webhooks.iter_mut().flatten() {
        webhook.client_config.ca_bundle = None;
    }
    configuration
}

/// The API server of the test cluster has a certificate for webhooks, of a CA of its own.
#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn only_an_api_server_with_a_certificate_of_the_client_ca_is_answered() -> Result<()> {
    let (pair, other) = (Pair::new(|_| {})?, Pair::new(|_| {})?);
    let folder = repository().join("target/e2e-client-ca");
    fs::create_dir_all(&folder)?;
    let file = |name: &str| folder.join(name).display().to_string();
    for (name, content) in pair.files() {
        fs::write(file(name), content)?;
    }
    fs::write(file("other-ca.crt"), other.ca())?;
    let client = Client::try_default().await?;
    // A CA bundle that the webhook published would conflict with the one of the chart.
    installation::uninstall().await?;
    ensure(NAME, "").await?;
    pair.write(&client, "e2e-client-ca").await?;
    let values = provided_certificate::values("e2e-client-ca", &[&pair]);
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    with_webhook("client-ca", &values, 1, async |webhook| {
        let admin = std::env::var("KUBECONFIG")?;
        let own = Path::new(&admin).with_file_name("webhook-client-ca.crt").display().to_string();
        for (ca, answered) in [(own, true), (file("other-ca.crt"), false)] {
            let args = [
                "--hook=sleep".to_owned(),
                "--events=false".to_owned(),
                "--upstreams=false".to_owned(),
                format!("--tls-cert={}", file("tls.crt")),
                format!("--tls-key={}", file("tls.key")),
                format!("--client-ca={ca}"),
            ];
            let mut replica = Replica::start(0, &args, &[])?;
            replica.ready().await?;
            // kube-proxy may not know the endpoint yet.
            let answers = eventually("an answer", ANSWER_LIMIT, async || {
                anyhow::ensure!(webhook.answers().await?, "a Pod goes without the hook");
                Ok(())
            });
            let answers = answers.await.is_ok();
            assert_eq!(answers, answered, "--client-ca {ca}: {}", replica.log()?);
            replica.kill().await?;
        }
        Ok(())
    })
    .await
}
