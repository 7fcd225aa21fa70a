//! Which replica watches Pods and asks gateways: the one that holds a Lease.

use kube::{Client, runtime::utils::Backoff};
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::{sync::watch, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{events::hostname, watch::retry_delays};
use crate::constants::{LEASE_DURATION, LEASE_RENEWAL};

/// Whether this replica holds the Lease.
pub(super) struct Leadership {
    holds: watch::Receiver<bool>,
    _task: Option<AbortOnDropHandle<()>>,
}

impl Leadership {
    /// Tries to hold the Lease `name` in the namespace of the ServiceAccount. Without a name, this
    /// replica is the only one.
    pub(super) fn seek(client: Client, name: Option<String>) -> Self {
        let (sender, holds) = watch::channel(name.is_none());
        let task = name.map(|name| tokio::spawn(hold(client, name, sender)));
        Self { holds, _task: task.map(AbortOnDropHandle::new) }
    }

    /// Waits until this replica holds the Lease, or until it does not.
    pub(super) async fn until(&mut self, holds: bool) {
        if self.holds.wait_for(|now| *now == holds).await.is_err() {
            // Nothing changes any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Takes the Lease whenever it is free, and renews it. Never ends.
async fn hold(client: Client, name: String, holds: watch::Sender<bool>) {
    let mut delays = retry_delays();
    let mut is_failing = false;
    loop {
        // A task of its own: a Lease with dates that nobody expects must not end the process.
        let term = tokio::spawn(term(client.clone(), name.clone(), holds.clone()));
        let error = match AbortOnDropHandle::new(term).await {
            Ok(error) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let held = holds.send_replace(false);
        if held || !is_failing {
            tracing::warn!(lease = name, error, "cannot hold the Lease; trying again");
        }
        is_failing = !held;
        if held {
            delays.reset();
        }
        sleep(delays.next().unwrap_or_default()).await;
    }
}

/// Takes and renews the Lease until that fails.
async fn term(client: Client, name: String, holds: watch::Sender<bool>) -> LeaseManagerError {
    let namespace = client.default_namespace().to_owned();
    let mut manager = LeaseManagerBuilder::new(client, name)
        .with_namespace(namespace)
        .with_duration(LEASE_DURATION)
        .with_grace(LEASE_RENEWAL)
        .with_field_manager(FIELD_MANAGER);
    if let Some(hostname) = hostname() {
        manager = manager.with_identity(hostname);
    }
    let manager = match manager.build().await {
        Ok(manager) => manager,
        Err(error) => return error,
    };
    loop {
        match manager.changed().await {
            Ok(now) => _ = holds.send_replace(now),
            Err(error) => return error,
        }
    }
}

const FIELD_MANAGER: &str = "apisix-prestop-lease";
