//! What one replica does for all: the one that holds the Lease.

use kube::Client;

use super::{
    leadership::Leadership,
    propagation::{PropagationContext, measure},
    protection::{Term, TermContext},
};

/// What one replica does for all: it finds running Pods that are not protected, and measures how long
/// APISIX takes to let go of one.
pub(crate) struct Leader {
    /// The Lease. Without one, this is the only replica.
    pub(crate) lease: Option<String>,
    /// How it finds Pods that are not protected.
    pub(crate) protection: TermContext,
    /// How it measures, if it does.
    pub(crate) propagation: Option<PropagationContext>,
}

impl Leader {
    /// Works while this replica holds the Lease. Never ends.
    pub(crate) async fn lead(self, client: Client) {
        let mut leadership = Leadership::seek(client.clone(), self.lease);
        let metrics = &self.protection.metrics;
        loop {
            leadership.until(true).await;
            tracing::info!("watching Pods for those without a sleep");
            metrics.leads(true);
            let measured = async {
                match &self.propagation {
                    Some(propagation) => measure(propagation, client.clone()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = leadership.until(false) => {}
                () = Term::new(&self.protection, client.clone()).serve() => {}
                () = measured => {}
            }
            metrics.leads(false);
            metrics.clear();
        }
    }
}
