//! What belongs to a webhook configuration of ours.

use std::sync::Arc;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod, networking::v1::NetworkPolicy};
use kube::api::ListParams;

use super::{
    api_reader::ApiReader,
    served::{bundle, through_port_forward, through_service},
};
use crate::{
    constants::{DEFAULT_NAME, INSTANCE_LABEL, MAX_DIALLED_REPLICAS, NAME_LABEL},
    preflight::{MutatingConfiguration, ReleaseFacts, ReplicaPod, our_webhook},
};

/// `None` if the configuration names no Service: then the webhook runs elsewhere.
pub(super) async fn release(
    reader: &ApiReader,
    configuration: &MutatingConfiguration,
    in_cluster: bool,
) -> Option<ReleaseFacts> {
    let client = &our_webhook(configuration)?.client_config;
    let service = client.service.as_ref()?;
    let namespace = Some(service.namespace.as_str());
    let labels = ListParams::default().labels(&selector(configuration));
    let (deployments, pods, network_policies) = tokio::join!(
        reader.list::<Deployment, _>(namespace, labels.clone()),
        reader.list::<Pod, ReplicaPod>(namespace, labels),
        reader.list::<NetworkPolicy, _>(namespace, ListParams::default()),
    );
    let ready = pods.items.iter().filter(|pod| pod.is_ready());
    let ready: Vec<_> = ready.take(MAX_DIALLED_REPLICAS).collect();
    let (bundle, served) = match bundle(&client.ca_bundle) {
        Err(why) => (Err(why), Vec::new()),
        Ok(roots) => {
            let (count, roots) = (roots.len(), Arc::new(roots));
            let served = if in_cluster {
                vec![through_service(reader, service, roots).await]
            } else {
                through_port_forward(reader, service, &roots, &ready).await
            };
            (Ok(count), served)
        }
    };
    Some(ReleaseFacts {
        configuration: configuration.metadata.name.clone(),
        namespace: service.namespace.clone(),
        deployments,
        pods,
        network_policies,
        bundle,
        served,
    })
}

/// The labels by which the chart marks the objects of a release.
fn selector(configuration: &MutatingConfiguration) -> String {
    let labels = &configuration.metadata.labels;
    let name = labels.get(NAME_LABEL).unwrap_or(DEFAULT_NAME);
    let instance = labels.get(INSTANCE_LABEL).map(|value| format!(",{INSTANCE_LABEL}={value}"));
    format!("{NAME_LABEL}={name}{}", instance.unwrap_or_default())
}
