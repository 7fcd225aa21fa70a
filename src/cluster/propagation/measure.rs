//! The measurement of the replica that holds the Lease.

use kube::Client;
use tokio::sync::watch;

use super::{
    context::PropagationContext,
    propagation_watch::PropagationWatch,
    record_writer::{NewRecord, write_records},
    served_propagation::ServedPropagation,
};

/// Measures, and lets the delay follow. Never ends by itself.
pub(in crate::cluster) async fn measure(context: &PropagationContext, client: Client) {
    let (records, new) = watch::channel(NewRecord::default());
    let is_upstream =
        |namespace: &str, service: &str| context.known.load().may_be_upstream(namespace, service);
    let mut observer = ServedPropagation::new(context, client.clone(), records);
    let watch = PropagationWatch::new(client.clone(), context.place.clone(), &is_upstream);
    tokio::join!(
        watch.measure(&mut observer),
        write_records(client, &context.config_map, new, context.announces),
    );
}
