//! What keeps Secret, webhook configuration and the certificate that is served in step, for as
//! long as the process lives. Every replica does all of it.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::StreamExt;
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration as Configuration, core::v1::Secret,
};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt,
        watcher::{self, DefaultBackoff, watch_object},
    },
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    issue::IssueError,
    names::ServiceNames,
    publication::{bundles, publish},
    replica::{Lack, Replica, View},
    secret::{request, write},
    state::{Data, State},
    step::{Change, Lifetimes},
};
use crate::{
    constants::{API_REQUEST_TIMEOUT, CERTIFICATE_CHECK_INTERVAL, SECRET_WRITE_INTERVAL},
    readiness::{Condition, Readiness},
    tls::{
        CertificateError, CertificateMetrics, CertificateRole, Pair, ServedCertificate,
        certified_key,
    },
};

/// Where the certificates are kept and published, and for whom.
#[derive(Clone, Debug)]
pub struct SelfManaged {
    /// The namespace of the Secret.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The MutatingWebhookConfiguration.
    pub configuration: String,
    /// The Service's names.
    pub names: ServiceNames,
    /// How long things last.
    pub lifetimes: Lifetimes,
}

/// What is told about it.
#[derive(Clone)]
pub struct Outlets {
    /// What is served.
    pub served: Arc<ServedCertificate>,
    /// Readiness.
    pub readiness: Arc<Readiness>,
    /// The metrics.
    pub metrics: CertificateMetrics,
}

/// Why one of the things to be done was not done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("cannot write the Secret: {0}")]
    Write(#[source] kube::Error),
    #[error("cannot publish the CA bundle: {0}")]
    Publish(#[source] kube::Error),
    #[error("no answer from the API server within {} s", API_REQUEST_TIMEOUT.as_secs())]
    Timeout,
}

impl SelfManaged {
    /// Says that nothing can be served yet. Until the first certificate is there, nothing is.
    pub fn announce(&self, readiness: &Readiness) {
        readiness.set(Condition::Certificate, Some(self.lack(Lack::Certificate)));
    }

    /// Follows Secret and webhook configuration, and does what is to be done. An API server that
    /// is away changes nothing of what is served.
    pub async fn follow(self, client: Client, outlets: Outlets) {
        let secrets = Api::<Secret>::namespaced(client.clone(), &self.namespace);
        let configurations = Api::<Configuration>::all(client);
        let mut secret_changes =
            pin!(watch_object(secrets.clone(), &self.secret).default_backoff());
        let mut configuration_changes =
            pin!(watch_object(configurations.clone(), &self.configuration).default_backoff());
        let (mut secret, mut configuration) = (Seen::new("Secret"), Seen::new("configuration"));
        let mut follower = Follower::new(self, secrets, configurations, outlets);
        let mut wake = Instant::now() + CERTIFICATE_CHECK_INTERVAL;
        loop {
            tokio::select! {
                Some(change) = secret_changes.next() => secret.update(change),
                Some(change) = configuration_changes.next() => configuration.update(change),
                () = sleep_until(wake) => {}
            }
            // What is not known yet may be there: nothing is written on a guess.
            wake = Instant::now()
                + match (&secret.object, &configuration.object) {
                    (Some(secret), Some(configuration)) => {
                        follower.act(secret.as_ref(), configuration.as_ref()).await
                    }
                    _ => CERTIFICATE_CHECK_INTERVAL,
                };
        }
    }

    fn lack(&self, lack: Lack) -> String {
        match lack {
            Lack::Certificate => "no certificate yet".to_owned(),
            Lack::ValidCertificate => "the certificate is not valid now".to_owned(),
            Lack::PublishedBundle => format!(
                "the CA bundle is not in MutatingWebhookConfiguration {}",
                self.configuration
            ),
        }
    }
}

/// An object as it was last seen: `None` before that, `Some(None)` when it was not there.
struct Seen<K> {
    kind: &'static str,
    object: Option<Option<K>>,
    is_failing: bool,
}

impl<K> Seen<K> {
    const fn new(kind: &'static str) -> Self {
        Self { kind, object: None, is_failing: false }
    }

    fn update(&mut self, change: Result<Option<K>, watcher::Error>) {
        match change {
            Ok(object) => {
                self.object = Some(object);
                self.is_failing = false;
            }
            // Told once: what was seen last is still the best guess.
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::warn!(%error, kind = self.kind, "cannot watch; trying again");
            }
            Err(error) => tracing::debug!(%error, kind = self.kind, "still cannot watch"),
        }
    }
}

struct Follower {
    what: SelfManaged,
    secrets: Api<Secret>,
    configurations: Api<Configuration>,
    outlets: Outlets,
    replica: Replica,
    serving: Option<Pair>,
    start: Instant,
    /// After a failure nothing is tried for a while.
    backoff: DefaultBackoff,
    calls_from: Instant,
    /// Whatever somebody else does to the Secret, we do not write it all the time.
    writes_from: Instant,
    lack: Option<Lack>,
    configuration_is_missing: bool,
}

impl Follower {
    fn new(
        what: SelfManaged,
        secrets: Api<Secret>,
        configurations: Api<Configuration>,
        outlets: Outlets,
    ) -> Self {
        Self {
            replica: Replica::new(what.names.clone(), what.lifetimes),
            what,
            secrets,
            configurations,
            outlets,
            serving: None,
            start: Instant::now(),
            backoff: DefaultBackoff::default(),
            calls_from: Instant::now(),
            writes_from: Instant::now(),
            lack: Some(Lack::Certificate),
            configuration_is_missing: false,
        }
    }

    /// Does what is to be done now, and says when to look again.
    async fn act(
        &mut self,
        secret: Option<&Secret>,
        configuration: Option<&Configuration>,
    ) -> Duration {
        let mut wake_in = CERTIFICATE_CHECK_INTERVAL;
        match self.try_act(secret, configuration).await {
            Ok(wake) => wake_in = wake_in.min(wake),
            Err(error) => {
                tracing::warn!(%error, "certificates: trying again");
                self.calls_from = Instant::now() + self.backoff.next().unwrap_or(wake_in);
            }
        }
        let now = Instant::now();
        let pauses = [self.calls_from, self.writes_from].into_iter().filter(|end| *end > now);
        pauses.fold(wake_in, |wake_in, end| wake_in.min(end - now))
    }

    async fn try_act(
        &mut self,
        secret: Option<&Secret>,
        configuration: Option<&Configuration>,
    ) -> Result<Duration, Failure> {
        let published = configuration.map(bundles).unwrap_or_default();
        let empty = Data::default();
        let view = View {
            secret: secret.map(|secret| secret.data.as_ref().unwrap_or(&empty)),
            request: secret.and_then(request),
            published: &published,
        };
        let now = SystemTime::now();
        let actions = self.replica.look(&view, now, self.start.elapsed())?;
        self.serve()?;
        self.tell(configuration, self.replica.lacks(&published, now));

        // One of them may be forbidden for long: that must not keep us from the other.
        let published = match (actions.publish, configuration) {
            (Some(bundle), Some(configuration)) if self.calls_from <= Instant::now() => {
                self.publish(configuration, bundle).await
            }
            _ => Ok(()),
        };
        let written = match actions.write {
            Some((change, state)) if self.calls_from.max(self.writes_from) <= Instant::now() => {
                if let Some(problem) = actions.unusable {
                    tracing::info!(%problem, secret = self.what.secret, "the Secret is of no use");
                }
                self.write(secret, change, &state).await
            }
            _ => Ok(()),
        };
        published.and(written)?;
        Ok(actions.wake_in)
    }

    async fn publish(&self, configuration: &Configuration, bundle: String) -> Result<(), Failure> {
        let published = publish(&self.configurations, configuration, bundle);
        in_time(published).await?.map_err(Failure::Publish)?;
        tracing::info!(configuration = self.what.configuration, "published the CA bundle");
        Ok(())
    }

    /// What was written comes back with the watch, and is used then.
    async fn write(
        &mut self,
        found: Option<&Secret>,
        change: Change,
        state: &State,
    ) -> Result<(), Failure> {
        let name = self.what.secret.as_str();
        match in_time(write(&self.secrets, name, found, state)).await? {
            Ok(_) => {
                tracing::info!(secret = name, "wrote the Secret {}", change.reason());
                self.writes_from = Instant::now() + SECRET_WRITE_INTERVAL;
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                tracing::debug!(secret = name, "somebody else was first");
                Ok(())
            }
            Err(error) => Err(Failure::Write(error)),
        }
    }

    /// Serves what is to be served.
    fn serve(&mut self) -> Result<(), Failure> {
        let Some(state) = self.replica.state() else { return Ok(()) };
        let metrics = &self.outlets.metrics;
        for (name, certificate) in [
            (CertificateRole::Serving, Some(&state.serving)),
            (CertificateRole::Ca, Some(&state.ca)),
            (CertificateRole::NextCa, state.next.as_ref()),
        ] {
            let expiry = certificate.map(|pair| pair.certificate.validity.not_after);
            metrics.set_expiry(name, expiry);
        }
        if self.serving.as_ref() == Some(&state.serving) {
            return Ok(());
        }
        let Pair { certificate, key } = &state.serving;
        self.outlets
            .served
            .replace(certified_key(certificate.pem().as_bytes(), key.pem().as_bytes())?);
        if self.serving.is_some() {
            metrics.count_reload(true);
        }
        tracing::info!(secret = self.what.secret, "serving the certificate of the Secret");
        self.serving = Some(state.serving.clone());
        Ok(())
    }

    /// Tells readiness and log what has changed.
    fn tell(&mut self, configuration: Option<&Configuration>, lack: Option<Lack>) {
        let name = self.what.configuration.as_str();
        if configuration.is_none() && !self.configuration_is_missing {
            tracing::warn!(configuration = name, "there is no such webhook configuration");
        }
        self.configuration_is_missing = configuration.is_none();
        if lack != self.lack {
            self.lack = lack;
            let problem = |condition| {
                lack.filter(|lack| lack.condition() == condition).map(|lack| self.what.lack(lack))
            };
            for condition in [Condition::Certificate, Condition::CaBundle] {
                self.outlets.readiness.set(condition, problem(condition));
            }
        }
    }
}

async fn in_time<T>(call: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(API_REQUEST_TIMEOUT, call).await.map_err(|_| Failure::Timeout)
}
