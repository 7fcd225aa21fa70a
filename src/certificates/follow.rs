//! Keeps Secret, webhook configuration and served certificate in step, for as long as the process
//! lives. Every replica does all of it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{utils::Backoff, watcher::ExponentialBackoff},
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    configuration::Configuration,
    issue::IssueError,
    names::ServiceNames,
    pace::Pace,
    publication::{bundles, publish},
    replica::{NotReady, Replica, View},
    secret::{request, write},
    state::{SecretData, State},
    step::{Lifetimes, SecretChange},
};
use crate::{
    cluster::{Follower, retry_delays},
    constants::{API_REQUEST_TIMEOUT, CERTIFICATE_CHECK_INTERVAL, WRITE_INTERVAL},
    readiness::{Condition, Readiness},
    tls::{
        CertificateError, CertificateMetrics, CertificateRole, Pair, ServedCertificate,
        certified_key,
    },
};

/// Self-managed certificates: for which Service, and where they are stored and published.
#[derive(Clone, Debug)]
pub(crate) struct SelfManaged {
    /// The namespace of the Secret.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The MutatingWebhookConfiguration.
    pub configuration: String,
    /// The Service's names.
    pub names: ServiceNames,
    /// The lifetimes.
    pub lifetimes: Lifetimes,
}

/// What depends on the certificate.
#[derive(Clone)]
pub(crate) struct Outlets {
    /// The served certificate.
    pub served: Arc<ServedCertificate>,
    /// Readiness.
    pub readiness: Arc<Readiness>,
    /// The metrics.
    pub metrics: CertificateMetrics,
}

/// Why an action failed.
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
    /// Reports that there is no certificate yet.
    pub(crate) fn announce(&self, readiness: &Readiness) {
        readiness.set(Condition::Certificate, Some(self.problem(NotReady::NoCertificate)));
    }

    /// Follows Secret and webhook configuration, and acts on each change. While the API server is
    /// away, the server keeps its certificate.
    pub(crate) async fn follow(self, client: Client, outlets: Outlets) {
        let secrets = Api::<Secret>::namespaced(client.clone(), &self.namespace);
        let configurations = Api::<Configuration>::all(client);
        let mut secret_watch = Follower::single(secrets.clone(), &self.secret, "Secret");
        let mut configuration_watch = Follower::single(
            configurations.clone(),
            &self.configuration,
            "MutatingWebhookConfiguration",
        );
        let (mut secret, mut configuration) = (None, None);
        let mut synchronizer = Synchronizer::new(self, secrets, configurations, outlets);
        let mut wake = Instant::now() + CERTIFICATE_CHECK_INTERVAL;
        loop {
            tokio::select! {
                () = secret_watch.follow(&mut secret) => {}
                () = configuration_watch.follow(&mut configuration) => {}
                () = sleep_until(wake) => {}
            }
            // An object that was not seen yet may exist: nothing is written on a guess.
            let is_synced = secret_watch.is_synced() && configuration_watch.is_synced();
            wake = Instant::now()
                + if is_synced {
                    synchronizer.act(secret.as_ref(), configuration.as_ref()).await
                } else {
                    CERTIFICATE_CHECK_INTERVAL
                };
        }
    }

    fn problem(&self, reason: NotReady) -> String {
        match reason {
            NotReady::NoCertificate => "no certificate yet".to_owned(),
            NotReady::CertificateNotValid => "the certificate is not valid now".to_owned(),
            NotReady::BundleNotPublished => format!(
                "the CA bundle is not in MutatingWebhookConfiguration {}",
                self.configuration
            ),
        }
    }
}

/// Keeps Secret, webhook configuration and served certificate in step.
struct Synchronizer {
    what: SelfManaged,
    secrets: Api<Secret>,
    configurations: Api<Configuration>,
    outlets: Outlets,
    replica: Replica,
    serving: Option<Pair>,
    start: Instant,
    /// After a failure, no call for a while.
    retry_delays: ExponentialBackoff,
    calls_from: Instant,
    writes: Pace,
    publications: Pace,
    not_ready: Option<NotReady>,
    configuration_is_missing: bool,
}

impl Synchronizer {
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
            retry_delays: retry_delays(),
            calls_from: Instant::now(),
            writes: Pace::new(WRITE_INTERVAL),
            publications: Pace::new(WRITE_INTERVAL),
            not_ready: Some(NotReady::NoCertificate),
            configuration_is_missing: false,
        }
    }

    /// Takes the actions that are due, and returns when to look again.
    async fn act(
        &mut self,
        secret: Option<&Secret>,
        configuration: Option<&Configuration>,
    ) -> Duration {
        let mut wake_in = CERTIFICATE_CHECK_INTERVAL;
        match self.try_act(secret, configuration).await {
            Ok(wake) => {
                // Until then, nothing was tried.
                if self.calls_from <= Instant::now() {
                    self.retry_delays.reset();
                }
                wake_in = wake_in.min(wake);
            }
            Err(error) => {
                tracing::warn!(%error, "certificates: trying again");
                self.calls_from = Instant::now() + self.retry_delays.next().unwrap_or(wake_in);
            }
        }
        let now = Instant::now();
        let pauses = [self.calls_from, self.writes.next(), self.publications.next()];
        let pauses = pauses.into_iter().filter(|end| *end > now);
        pauses.fold(wake_in, |wake_in, end| wake_in.min(end - now))
    }

    async fn try_act(
        &mut self,
        secret: Option<&Secret>,
        configuration: Option<&Configuration>,
    ) -> Result<Duration, Failure> {
        let published = configuration.map(bundles).unwrap_or_default();
        let empty = SecretData::default();
        let view = View {
            secret: secret.map(|secret| secret.data.as_ref().unwrap_or(&empty)),
            request: secret.and_then(request),
            published: &published,
        };
        let now = SystemTime::now();
        let actions = self.replica.look(&view, now, self.start.elapsed())?;
        self.serve()?;
        self.report(configuration, self.replica.not_ready(&published, now));

        // One of them may be forbidden for long: that does not keep the replica from the other.
        let published = match (actions.publish, configuration) {
            (Some(bundle), Some(configuration))
                if self.calls_from.max(self.publications.next()) <= Instant::now() =>
            {
                self.publish(configuration, bundle).await
            }
            _ => Ok(()),
        };
        let written = match actions.write {
            Some((change, state)) if self.calls_from.max(self.writes.next()) <= Instant::now() => {
                if let Some(problem) = actions.unusable {
                    tracing::info!(%problem, secret = self.what.secret, "the Secret is not usable");
                }
                self.write(secret, change, &state).await
            }
            _ => Ok(()),
        };
        published.and(written)?;
        Ok(actions.wake_in)
    }

    async fn publish(
        &mut self,
        configuration: &Configuration,
        bundle: String,
    ) -> Result<(), Failure> {
        let published = publish(&self.configurations, configuration, bundle);
        in_time(published).await?.map_err(Failure::Publish)?;
        self.publications.wrote();
        tracing::info!(configuration = self.what.configuration, "published the CA bundle");
        Ok(())
    }

    /// The watch returns what was written: only then it is used.
    async fn write(
        &mut self,
        found: Option<&Secret>,
        change: SecretChange,
        state: &State,
    ) -> Result<(), Failure> {
        let name = self.what.secret.as_str();
        match in_time(write(&self.secrets, name, found, state)).await? {
            Ok(_) => {
                tracing::info!(secret = name, "wrote the Secret {}", change.reason());
                self.writes.wrote();
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                tracing::debug!(secret = name, "another replica was first");
                Ok(())
            }
            Err(error) => Err(Failure::Write(error)),
        }
    }

    /// Serves the current certificate.
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

    /// Reports changes to readiness and log.
    fn report(&mut self, configuration: Option<&Configuration>, not_ready: Option<NotReady>) {
        let name = self.what.configuration.as_str();
        if configuration.is_none() && !self.configuration_is_missing {
            tracing::warn!(configuration = name, "there is no such webhook configuration");
        }
        self.configuration_is_missing = configuration.is_none();
        if not_ready != self.not_ready {
            self.not_ready = not_ready;
            for condition in [Condition::Certificate, Condition::CaBundle] {
                let reason = not_ready.filter(|reason| reason.condition() == condition);
                let problem = reason.map(|reason| self.what.problem(reason));
                self.outlets.readiness.set(condition, problem);
            }
        }
    }
}

async fn in_time<T>(call: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(API_REQUEST_TIMEOUT, call).await.map_err(|_| Failure::Timeout)
}
