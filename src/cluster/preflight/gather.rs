//! Reads everything.

use std::time::SystemTime;

use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    core::v1::Namespace,
};
use kube::{
    Client, Resource,
    api::{ApiResource, GroupVersionKind, ListParams},
};

use super::{
    super::{
        read_error::{ReadError, in_time},
        version::effective_minor,
    },
    api_reader::ApiReader,
    dry_runs::dry_runs,
    nodes::nodes,
    release::release,
    rights::{TO_DIAL, TO_DIAL_INSIDE, TO_INSTALL, TO_LOOK, TO_READ, TO_READ_RELEASE, ask},
};
use crate::{
    constants::{API_REQUEST_TIMEOUT, DEFAULT_NAME, INJECT_LABEL, MAX_DRY_RUNS, MAX_RELEASES},
    preflight::{
        ApiServerFacts, LabelledWorkload, Listed, MutatingPolicy, NamespaceFacts, PreflightFacts,
        is_opted_in, is_ours,
    },
};

/// What to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct PreflightScope {
    /// Only what matters before the installation.
    pub(crate) is_pre: bool,
    /// Only this namespace.
    pub(crate) namespace: Option<String>,
    /// Whether this program runs in the cluster, and reaches Services.
    pub(crate) in_cluster: bool,
}

/// There is no API server, or it does not know the caller.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(String);

/// Reads everything that `scope` includes.
///
/// # Errors
/// When the API server does not answer, or does not know the caller.
pub(crate) async fn gather(
    client: Client,
    scope: &PreflightScope,
) -> Result<PreflightFacts, NoAnswer> {
    let reader = ApiReader { client };
    let api_server = api_server(&reader).await?;
    let (api_groups, nodes, configurations, policies) = tokio::join!(
        api_groups(&reader),
        nodes(&reader),
        reader.list::<MutatingWebhookConfiguration, _>(None, ListParams::default()),
        policies(&reader),
    );
    let mut facts = PreflightFacts {
        now: SystemTime::now(),
        own_version: env!("CARGO_PKG_VERSION").to_owned(),
        is_pre: scope.is_pre,
        only_namespace: scope.namespace.clone(),
        api_server,
        api_groups,
        nodes,
        rights: Vec::new(),
        configurations,
        policies,
        releases: Vec::new(),
        namespaces: Listed::default(),
        workloads: Listed::default(),
        dry_runs: Vec::new(),
        dry_runs_left_out: 0,
    };
    let namespace = scope.namespace.as_deref();
    if scope.is_pre {
        let install_in = namespace.unwrap_or(DEFAULT_NAME);
        facts.rights = ask(&reader, &TO_INSTALL, Some(install_in)).await;
        return Ok(facts);
    }
    gather_releases(&reader, &mut facts, scope).await;
    gather_namespaces(&reader, &mut facts, namespace).await;
    Ok(facts)
}

async fn gather_releases(reader: &ApiReader, facts: &mut PreflightFacts, scope: &PreflightScope) {
    facts.rights = ask(reader, &TO_READ, None).await;
    facts.rights.extend(ask(reader, &TO_LOOK, scope.namespace.as_deref()).await);
    let ours = facts.configurations.items.iter().filter(|it| is_ours(it)).take(MAX_RELEASES);
    for configuration in ours {
        let Some(found) = release(reader, configuration, scope.in_cluster).await else { continue };
        let to_dial = if scope.in_cluster { TO_DIAL_INSIDE } else { TO_DIAL };
        let rights = [&TO_READ_RELEASE[..], &to_dial].concat();
        facts.rights.extend(ask(reader, &rights, Some(&found.namespace)).await);
        facts.releases.push(found);
    }
}

async fn gather_namespaces(
    reader: &ApiReader,
    facts: &mut PreflightFacts,
    namespace: Option<&str>,
) {
    let named = |name| ListParams::default().fields(&format!("metadata.name={name}"));
    let which = namespace.map_or_else(ListParams::default, named);
    let (namespaces, workloads) = tokio::join!(
        reader.list::<Namespace, NamespaceFacts>(None, which),
        workloads(reader, namespace),
    );
    let (configurations, policies) = (&facts.configurations.items, &facts.policies.items);
    let opted_in = namespaces.items.iter().map(|it| &it.metadata);
    let opted_in = opted_in.filter(|it| is_opted_in(configurations, policies, &it.labels));
    let mut opted_in: Vec<_> = opted_in.map(|it| it.name.clone()).collect();
    facts.dry_runs_left_out = opted_in.len().saturating_sub(MAX_DRY_RUNS);
    opted_in.truncate(MAX_DRY_RUNS);
    facts.dry_runs = dry_runs(reader, &opted_in).await;
    (facts.namespaces, facts.workloads) = (namespaces, workloads);
}

/// The first request of all.
async fn api_server(reader: &ApiReader) -> Result<Result<ApiServerFacts, String>, NoAnswer> {
    let answer = in_time(API_REQUEST_TIMEOUT, reader.client.apiserver_version()).await;
    match answer {
        Ok(info) => {
            let minor = effective_minor(&info);
            Ok(Ok(ApiServerFacts { version: info.git_version, minor }))
        }
        Err(ReadError::Api(kube::Error::Api(status))) if status.code != 401 => {
            Ok(Err(status.message.clone()))
        }
        Err(error) => Err(NoAnswer(error.to_string())),
    }
}

async fn api_groups(reader: &ApiReader) -> Result<Vec<String>, String> {
    let groups = in_time(API_REQUEST_TIMEOUT, reader.client.list_api_groups()).await;
    let groups = groups.map_err(|error| error.to_string())?.groups;
    Ok(groups.into_iter().map(|group| group.name).collect())
}

/// MutatingAdmissionPolicies, in the version that the API server serves.
async fn policies(reader: &ApiReader) -> Listed<MutatingPolicy> {
    const GROUP: &str = "admissionregistration.k8s.io";
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let kind = GroupVersionKind::gvk(GROUP, version, "MutatingAdmissionPolicy");
        let resource = ApiResource::from_gvk_with_plural(&kind, "mutatingadmissionpolicies");
        let listed = reader.list_resource(&resource, None, ListParams::default()).await;
        if listed != Listed::default() {
            return listed;
        }
    }
    Listed::default()
}

/// The workloads with the label that only a namespace should have.
async fn workloads(reader: &ApiReader, namespace: Option<&str>) -> Listed<LabelledWorkload> {
    let mut all = Listed::default();
    for mut listed in [
        labelled::<Deployment>(reader, namespace).await,
        labelled::<StatefulSet>(reader, namespace).await,
        labelled::<DaemonSet>(reader, namespace).await,
    ] {
        all.items.append(&mut listed.items);
        all.missing = all.missing.or(listed.missing);
    }
    all
}

async fn labelled<K: Resource<DynamicType = ()>>(
    reader: &ApiReader,
    namespace: Option<&str>,
) -> Listed<LabelledWorkload> {
    let mut listed: Listed<LabelledWorkload> =
        reader.list::<K, _>(namespace, ListParams::default().labels(INJECT_LABEL)).await;
    // The objects of a list do not name their kind.
    for workload in &mut listed.items {
        workload.kind = K::kind(&()).into_owned();
    }
    listed
}
