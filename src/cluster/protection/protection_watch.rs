//! Finds running Pods that are not protected, while this replica holds the Lease.

use kube::Client;

use super::{leadership::Leadership, term::Term, term_context::TermContext};

/// Finds running Pods that are not protected.
pub(crate) struct ProtectionWatch {
    context: TermContext,
    lease: Option<String>,
}

impl ProtectionWatch {
    /// A watch for the holder of `lease`. Without a Lease, this is the only replica.
    pub(crate) fn new(context: TermContext, lease: Option<String>) -> Self {
        Self { context, lease }
    }

    /// Watches Pods while this replica holds the Lease. Never ends.
    pub(crate) async fn follow(self, client: Client) {
        let mut leadership = Leadership::seek(client.clone(), self.lease);
        let metrics = &self.context.metrics;
        loop {
            leadership.until(true).await;
            tracing::info!("watching Pods for those without a sleep");
            metrics.leads(true);
            tokio::select! {
                () = leadership.until(false) => {}
                () = Term::new(&self.context, client.clone()).serve() => {}
            }
            metrics.leads(false);
            metrics.clear();
        }
    }
}
