//! `apisix-prestop serve`: puts the parts together, from the flags to the exit.

mod api_thread;
mod args;
mod first_try;
mod measure_args;
mod tasks;

use std::{io, sync::Arc};

use kube::Client;
use prometheus_client::metrics::counter::Counter;
use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::sync::CancellationToken;

use self::{
    api_thread::ApiThread,
    args::ShutdownArgs,
    first_try::suggest_first_try,
    tasks::{FollowerTask, ListenerTask, Tasks},
};
use super::{
    injection::{DelayAboveMaximum, HookMode, InjectionArgs},
    signals::Signals,
    tls::{Tls, TlsError},
};
use crate::{
    admission::{Mode, Observer, ReviewLog, ReviewMetrics, Reviewer},
    cluster::{
        Leader, MeasuredPropagation, OptedIn, OutdatedKubeletMetrics, PropagationContext,
        PropagationMetrics, ProtectionMetrics, TermContext, UpstreamMetrics, UpstreamWatch,
        choose_hook, connect, event_queue, follow_delay, follow_hook,
    },
    injection::{Hook, Policy},
    readiness::Readiness,
    server::{
        BindError, ConnectionMetrics, ListenerOptions, accept, admin_router, bind,
        connections_of_each, raise_descriptor_limit, webhook_router,
    },
    telemetry::{self, start_log},
    tls::CertificateMetrics,
};

pub use self::{
    args::{ServeArgs, TargetsNotWatched},
    measure_args::{ContradictoryMeasureArgs, ServeMeasureArgs},
    tasks::TaskEnded,
};

/// Why the server does not start, or why it ends.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no runtime.
    #[error("cannot start the async runtime: {0}")]
    Runtime(#[source] io::Error),
    /// The flags contradict each other.
    #[error(transparent)]
    Flags(#[from] DelayAboveMaximum),
    /// The flags ask for what nothing watches.
    #[error(transparent)]
    Targets(#[from] TargetsNotWatched),
    /// The flags about measuring contradict each other.
    #[error(transparent)]
    Measure(#[from] ContradictoryMeasureArgs),
    /// A listener cannot use its address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener does not tell its address.
    #[error("a listener has no address: {0}")]
    LocalAddress(#[source] io::Error),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// The process cannot wait for signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    /// A task ended that must run as long as the server.
    #[error(transparent)]
    TaskEnded(#[from] TaskEnded),
    /// A second signal arrived during the drain.
    #[error("aborted by a second signal before the drain was over")]
    Aborted,
}

impl ServeError {
    /// Whether other flags would help.
    pub(super) const fn is_usage(&self) -> bool {
        match self {
            Self::Flags(_) | Self::Targets(_) | Self::Measure(_) | Self::Bind(_) => true,
            Self::Certificate(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// Serves until SIGTERM or SIGINT, then drains.
pub(super) fn run(args: ServeArgs) -> Result<(), ServeError> {
    let dropped_lines = start_log(args.log.log_format, &args.log.log);
    raise_descriptor_limit();
    // One thread answers tens of thousands of reviews a second. More threads cost memory, and CPU
    // to wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let result = runtime.block_on(serve(args, dropped_lines));
    runtime.shutdown_background();
    result
}

async fn serve(args: ServeArgs, dropped_lines: Counter) -> Result<(), ServeError> {
    let ServeArgs {
        injection,
        mode,
        events,
        namespace_selector,
        targets,
        measure,
        listeners,
        tls,
        shutdown,
        log: _,
    } = args;
    // Check the flags before anything is opened.
    injection.policy(Hook::Exec)?;
    targets.check()?;
    measure.check(targets.upstreams, injection.max_delay)?;
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let readiness = Arc::new(Readiness::default());
    let mut registry = telemetry::registry();
    readiness.register(&mut registry);
    registry.register("log_lines_dropped", "Lines of the log that nobody read", dropped_lines);
    let review_metrics = ReviewMetrics::register(&mut registry);
    let kubelets = OutdatedKubeletMetrics::register(&mut registry);
    let tls = Tls::new(tls, &readiness, CertificateMetrics::register(&mut registry))?;
    let tls_config = tls.server_config()?;
    let (is_first_try, knows_clients) = (tls.is_self_signed(), tls.knows_clients());
    let webhook_listener = bind("--listen", listeners.listen)?;
    let admin_listener = bind("--admin-listen", listeners.admin_listen)?;
    let (address, admin_address) = (address(&webhook_listener)?, address(&admin_listener)?);

    let [connections, admin_connections] =
        ConnectionMetrics::register(&mut registry, ["webhook", "admin"]);

    // The admin listener comes first: `/ready` answers while the API server is slow.
    let stop = CancellationToken::new();
    let options = ListenerOptions {
        tls: None,
        max_connections: connections_of_each(listeners.max_connections),
        metrics: admin_connections,
        stop: stop.clone(),
        drain_timeout: shutdown.drain_timeout.duration(),
    };
    let mut tasks = Tasks::default();
    // With --client-ca every review comes from an API server, which asks for these namespaces only.
    let opted_in = OptedIn::default();
    let only_opted_in = (events && !knows_clients).then(|| opted_in.clone());
    let follows_namespaces = only_opted_in.is_some() || targets.upstreams;
    let event_queue = events.then(|| event_queue(&mut registry, only_opted_in));
    let upstream_metrics = targets.upstreams.then(|| {
        (UpstreamMetrics::register(&mut registry), ProtectionMetrics::register(&mut registry))
    });
    let propagation_metrics = measure.measure.then(|| PropagationMetrics::register(&mut registry));
    if let Some(metrics) = &propagation_metrics {
        metrics.show_delay(injection.delay);
    }
    let router = admin_router(readiness.clone(), connections.clone(), registry);
    tasks.listen(ListenerTask::Admin, accept(admin_listener, router, options.clone()));

    let uses_api_server =
        injection.hook == HookMode::Auto || events || targets.upstreams || tls.needs_api_server();
    let api_thread = if uses_api_server { Some(start_api_thread()?) } else { None };
    let client = match &api_thread {
        // An exec plugin of a kubeconfig may wait for a person.
        Some(thread) => tokio::select! {
            client = client(thread, &injection) => client,
            () = signals.next() => return Ok(()),
        },
        None => None,
    };
    // Followers stay off the thread that answers reviews.
    let background = api_thread.as_ref().map_or_else(Handle::current, ApiThread::runtime);
    if let Some(task) = tls.follow(client.as_ref(), readiness.clone())? {
        tasks.follow(FollowerTask::Certificate, task, &background);
    }
    let choice = tokio::select! {
        choice = HookChoice::new(&injection, client.as_ref(), &kubelets, &background) => choice,
        () = signals.next() => return Ok(()),
    };
    let policy = Policy { targets: targets.targets, ..injection.policy(choice.hook)? };
    let mut observers: Vec<Box<dyn Observer>> =
        vec![Box::new(ReviewLog::default()), Box::new(review_metrics)];
    if let Some(client) = client.clone().filter(|_| follows_namespaces) {
        let task = opted_in.clone().follow(client, namespace_selector);
        tasks.follow(FollowerTask::Namespaces, task, &background);
    }
    if let (Some(client), Some((sender, queue))) = (client.clone(), event_queue) {
        tasks.follow(FollowerTask::Events, queue.publish(client), &background);
        observers.push(Box::new(sender));
    }
    let mut reviewer = Reviewer::new(policy, mode, observers);
    let mut protection = None;
    if let (Some(client), Some((metrics, protection_metrics))) = (client.clone(), upstream_metrics)
    {
        let controller = targets.controller.into();
        let upstreams = UpstreamWatch::new(controller, readiness.clone(), metrics);
        reviewer = reviewer.with_targets(upstreams.known());
        protection = Some((upstreams.known(), protection_metrics));
        tasks.follow(FollowerTask::Upstreams, upstreams.follow(client), &background);
    }
    let reviewer = Arc::new(reviewer);
    let measured = MeasuredPropagation::new(measure.auto_delay);
    if let (Some(client), Some((known, metrics))) = (client.clone(), protection) {
        // Where nothing is injected, a restart protects nobody.
        let announces = events && mode == Mode::Enforce;
        let propagation = propagation_metrics.zip(measure.delay_config_map.clone());
        let propagation = propagation.map(|(metrics, config_map)| {
            let settings = measure.settings(injection.delay);
            let on_record = {
                let (measured, reviewer) = (measured.clone(), reviewer.clone());
                let metrics = metrics.clone();
                move |record| {
                    measured.set(record);
                    let delay = measured.delay().unwrap_or(injection.delay);
                    reviewer.update_policy(|policy| Policy { delay, ..*policy });
                    metrics.show_delay(delay);
                }
            };
            let task = follow_delay(client.clone(), config_map.clone(), settings.range, on_record);
            tasks.follow(FollowerTask::Delay, task, &background);
            PropagationContext {
                place: measure.gateway.clone().into(),
                known: known.clone(),
                auto_delay: settings,
                config_map,
                measured: measured.clone(),
                metrics,
                announces,
            }
        });
        let reviewer = reviewer.clone();
        let protection = TermContext { known, opted_in, reviewer, metrics, measured, announces };
        let leader = Leader { lease: targets.lease, protection, propagation };
        tasks.follow(FollowerTask::Protection, leader.lead(client), &background);
    }
    if let Some(client) = client.filter(|_| injection.hook == HookMode::Auto) {
        let reviewer = reviewer.clone();
        let on_answer = move |hook| reviewer.update_policy(|policy| Policy { hook, ..*policy });
        let task = follow_hook(client, kubelets, choice.is_known, on_answer);
        tasks.follow(FollowerTask::ClusterVersion, task, &background);
    }
    let router = webhook_router(reviewer, readiness.clone());
    let options = ListenerOptions { tls: Some(tls_config), metrics: connections, ..options };
    tasks.listen(ListenerTask::Webhook, accept(webhook_listener, router, options));

    readiness.serve();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        %address,
        %admin_address,
        hook = policy.hook.as_str(),
        delay = %policy.delay,
        shutdown_reserve = %policy.shutdown_reserve,
        ?mode,
        "serving",
    );
    if is_first_try {
        suggest_first_try(address);
    }

    tokio::select! {
        () = signals.next() => {}
        ended = tasks.first_end() => return Err(ended.into()),
    }
    readiness.drain();
    tokio::select! {
        () = drain(&shutdown, &stop, &mut tasks) => Ok(()),
        () = signals.next() => Err(ServeError::Aborted),
    }
}

/// Serves for a while longer, then stops accepting and waits for the requests under way.
async fn drain(shutdown: &ShutdownArgs, stop: &CancellationToken, tasks: &mut Tasks) {
    tracing::info!(delay = %shutdown.drain_delay, "draining");
    tokio::time::sleep(shutdown.drain_delay.duration()).await;
    stop.cancel();
    tasks.listeners_end().await;
    tracing::info!("drained");
}

fn address(listener: &TcpListener) -> Result<std::net::SocketAddr, ServeError> {
    listener.local_addr().map_err(ServeError::LocalAddress)
}

fn start_api_thread() -> Result<ApiThread, ServeError> {
    ApiThread::start().map_err(ServeError::Runtime)
}

/// A client for the API server, if there is one.
async fn client(thread: &ApiThread, injection: &InjectionArgs) -> Option<Client> {
    // The client sends its requests on the runtime that creates it.
    let error = match thread.runtime().spawn(connect()).await {
        Ok(Ok(client)) => return Some(client),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    if injection.hook == HookMode::Auto {
        tracing::warn!(error, "hook auto: no API server to ask, so it means exec");
    } else {
        tracing::warn!(error, "no API server: there are no Events, and no targets are known");
    }
    None
}

/// The hook to start with, and whether the cluster named it.
struct HookChoice {
    hook: Hook,
    is_known: bool,
}

impl HookChoice {
    async fn new(
        injection: &InjectionArgs,
        client: Option<&Client>,
        kubelets: &OutdatedKubeletMetrics,
        background: &Handle,
    ) -> Self {
        let hook = match (injection.hook.fixed(), client.cloned()) {
            (Some(hook), _) => return Self { hook, is_known: true },
            (None, None) => return Self { hook: Hook::Exec, is_known: true },
            (None, Some(client)) => {
                let kubelets = kubelets.clone();
                background.spawn(async move { choose_hook(&client, &kubelets).await }).await
            }
        };
        let error = match hook {
            Ok(Ok(hook)) => return Self { hook, is_known: true },
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(error, "hook auto: exec until the API server answers");
        Self { hook: Hook::Exec, is_known: false }
    }
}
