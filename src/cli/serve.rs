//! `apisix-prestop serve`: everything put together, from the flags to the exit.

use std::{io, net::SocketAddr, sync::Arc};

use kube::Client;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    args::{DelayAboveMaximum, HookMode, InjectionArgs, ServeArgs, ShutdownArgs},
    tls::{Tls, TlsError},
};
use crate::{
    cluster::{choose_hook, event_queue, follow_hook, in_cluster_client},
    constants::INJECT_PATH,
    injection::Hook,
    server::{BindError, Phase, Terms, Webhook, accept, admin_router, bind, webhook_router},
    telemetry::Metrics,
};

/// Why the server could not start, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No runtime.
    #[error("cannot start the async runtime: {0}")]
    Runtime(#[source] io::Error),
    /// The flags contradict each other.
    #[error(transparent)]
    Flags(#[from] DelayAboveMaximum),
    /// A listener's address cannot be used.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener does not tell its address.
    #[error("a listener has no address: {0}")]
    LocalAddress(#[source] io::Error),
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// No signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    /// A part of the server ended by itself.
    #[error("the {0} ended unexpectedly")]
    TaskEnded(&'static str),
    /// A part of the server died.
    #[error("a task of the server died: {0}")]
    TaskDied(#[source] tokio::task::JoinError),
    /// A second signal came during the drain.
    #[error("aborted by a second signal before the drain was over")]
    Aborted,
}

/// Serves until SIGTERM or SIGINT, then drains.
pub(super) async fn serve(args: Box<ServeArgs>) -> Result<(), ServeError> {
    let ServeArgs { injection, mode, events, listeners, tls, shutdown, log: _ } = *args;
    // Before anything is opened: the flags have to make sense.
    injection.policy(Hook::Exec)?;
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    let metrics = Arc::new(Metrics::default());
    let phase = Arc::new(Phase::default());
    let mut tasks = JoinSet::new();

    let tls = Tls::new(tls, &phase, &metrics)?;
    let tls_config = tls.server_config()?;
    let webhook_listener = bind("--listen", listeners.listen)?;
    let admin_listener = bind("--admin-listen", listeners.admin_listen)?;
    let address = webhook_listener.local_addr().map_err(ServeError::LocalAddress)?;
    let admin_address = admin_listener.local_addr().map_err(ServeError::LocalAddress)?;

    // The admin listener first: while the API server is slow to answer, `/ready` can say so.
    let stop = CancellationToken::new();
    let terms = Terms {
        tls: None,
        max_connections: usize::try_from(listeners.max_connections).unwrap_or(usize::MAX),
        stop: stop.clone(),
        drain_timeout: shutdown.drain_timeout.duration(),
    };
    let router = admin_router(phase.clone(), metrics.clone());
    spawn(&mut tasks, "admin listener", accept(admin_listener, router, terms.clone()));

    let asks = injection.hook == HookMode::Auto || events || tls.needs_api_server();
    let client = if asks { client(&injection) } else { None };
    let is_first_try = tls.is_throw_away();
    if let Some(task) = tls.follow(client.as_ref(), phase.clone(), metrics.clone())? {
        spawn(&mut tasks, "watch on the certificate", task);
    }
    let choice = match (injection.hook.fixed(), &client) {
        (Some(hook), _) => HookChoice { hook, known: true },
        (None, None) => HookChoice { hook: Hook::Exec, known: true },
        (None, Some(client)) => tokio::select! {
            choice = HookChoice::by_cluster(client) => choice,
            () = signals.next() => return Ok(()),
        },
    };
    let policy = injection.policy(choice.hook)?;
    let events = client.clone().filter(|_| events).map(|client| {
        let (sender, queue) = event_queue();
        spawn(&mut tasks, "event queue", queue.publish(client));
        sender
    });
    let webhook = Webhook::new(policy, mode, events, metrics, phase.clone());
    if let Some(client) = client.filter(|_| injection.hook == HookMode::Auto) {
        let webhook = webhook.clone();
        spawn(&mut tasks, "watch on the cluster's version", {
            follow_hook(client, choice.known, move |hook| webhook.set_hook(hook))
        });
    }
    spawn(&mut tasks, "webhook listener", {
        accept(webhook_listener, webhook_router(webhook), Terms { tls: Some(tls_config), ..terms })
    });

    phase.serve();
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
        suggest_a_first_try(address);
    }

    tokio::select! {
        () = signals.next() => {}
        error = first_end(&mut tasks) => return Err(error),
    }
    phase.drain();
    tokio::select! {
        () = drain(&shutdown, &stop, &mut tasks) => Ok(()),
        () = signals.next() => Err(ServeError::Aborted),
    }
}

/// Goes on serving for a while, then stops accepting and waits for what is under way.
async fn drain(shutdown: &ShutdownArgs, stop: &CancellationToken, tasks: &mut JoinSet<TaskName>) {
    tracing::info!(delay = %shutdown.drain_delay, "draining");
    tokio::time::sleep(shutdown.drain_delay.duration()).await;
    stop.cancel();
    // The listeners end by themselves now; what only follows something never does.
    let mut listeners = 2;
    while listeners > 0 {
        match tasks.join_next().await {
            Some(Ok("webhook listener" | "admin listener")) => listeners -= 1,
            Some(_) => {}
            None => break,
        }
    }
    tracing::info!("drained");
}

type TaskName = &'static str;

/// Starts a part of the server that has to live as long as the server.
fn spawn(
    tasks: &mut JoinSet<TaskName>,
    name: TaskName,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        task.await;
        name
    });
}

/// Waits until a part of the server ends, which none does by itself.
async fn first_end(tasks: &mut JoinSet<TaskName>) -> ServeError {
    match tasks.join_next().await {
        Some(Ok(name)) => ServeError::TaskEnded(name),
        Some(Err(died)) => ServeError::TaskDied(died),
        None => std::future::pending().await,
    }
}

/// The hook to start with, and whether the cluster has named it.
struct HookChoice {
    hook: Hook,
    known: bool,
}

impl HookChoice {
    async fn by_cluster(client: &Client) -> Self {
        match choose_hook(client).await {
            Ok(hook) => Self { hook, known: true },
            Err(error) => {
                tracing::warn!(%error, "hook auto: exec until the API server has answered");
                Self { hook: Hook::Exec, known: false }
            }
        }
    }
}

/// A client for the API server, if there is one.
fn client(injection: &InjectionArgs) -> Option<Client> {
    match in_cluster_client() {
        Ok(client) => Some(client),
        Err(error) if injection.hook == HookMode::Auto => {
            tracing::warn!(%error, "hook auto: no API server to ask, so it means exec");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "no API server: there will be no Events");
            None
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// For somebody who has just started the program on a laptop. Not a line of the log: it is to
/// be copied.
#[expect(clippy::print_stderr, reason = "for a person at a terminal")]
fn suggest_a_first_try(address: SocketAddr) {
    let port = address.port();
    eprintln!(
        "\nTry it, from the repository's root:\n\n  \
         curl -sk https://localhost:{port}{INJECT_PATH} -H 'Content-Type: application/json' \
         --data-binary @manifests/examples/review.json \
         | sed 's/.*\"patch\":\"\\([^\"]*\\)\".*/\\1/' | base64 -d\n"
    );
}

#[cfg(test)]
mod tests {
    //! No part of the server can be made to end from outside, so these are parts of the test's.
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::returns(async {}, "the watch ended unexpectedly")]
    #[case::panics(async { panic!("of a fault") }, "a task of the server died: ")]
    #[tokio::test]
    async fn a_part_that_ends_ends_the_server(
        #[case] part: impl Future<Output = ()> + Send + 'static,
        #[case] message: &str,
    ) {
        let mut tasks = JoinSet::new();
        spawn(&mut tasks, "listener", std::future::pending());
        spawn(&mut tasks, "watch", part);
        let error = first_end(&mut tasks).await.to_string();
        assert!(error.starts_with(message), "expected {message:?}, got {error:?}");
    }
}
