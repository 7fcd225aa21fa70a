//! A Pod that is created in a namespace, and never stored.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;

use super::api_reader::ApiReader;
use crate::{
    constants::{CONCURRENT_REQUESTS, DRY_RUN_TIMEOUT},
    preflight::{DryRun, dry_run_pod},
};

/// Creates the Pod in each of `namespaces` with `dryRun=All`.
pub(super) async fn dry_runs(reader: &ApiReader, namespaces: &[String]) -> Vec<DryRun> {
    let pod = dry_run_pod();
    let runs = stream::iter(namespaces).map(async |namespace| {
        let path = Pod::url_path(&(), Some(namespace));
        let outcome = reader.create(path, &pod, true, DRY_RUN_TIMEOUT).await;
        let outcome = outcome.map_err(|error| error.to_string());
        DryRun { namespace: namespace.clone(), outcome }
    });
    runs.buffered(CONCURRENT_REQUESTS).collect().await
}
