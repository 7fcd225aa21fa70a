//! A Pod that is created in a namespace, and never stored.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;

use super::api_reader::ApiReader;
use crate::{
    constants::{CONCURRENT_REQUESTS, DRY_RUN_TIMEOUT},
    preflight::{DryRun, dry_run_pod},
};

/// Creates both Pods in each of `namespaces` with `dryRun=All`.
pub(super) async fn dry_runs(reader: &ApiReader, namespaces: &[String]) -> Vec<DryRun> {
    let (pod, without) = (dry_run_pod(false), dry_run_pod(true));
    let runs = stream::iter(namespaces).map(async |namespace| {
        let create = async |pod| {
            let path = Pod::url_path(&(), Some(namespace));
            let created = reader.create(path, pod, true, DRY_RUN_TIMEOUT).await;
            created.map_err(|error| error.to_string())
        };
        let (outcome, opted_out) = tokio::join!(create(&pod), create(&without));
        DryRun { namespace: namespace.clone(), outcome, opted_out }
    });
    runs.buffered(CONCURRENT_REQUESTS).collect().await
}
