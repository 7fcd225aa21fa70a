//! Reads what an audit needs.

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    core::v1,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Client,
    api::{ApiResource, ListParams},
};

use super::{
    super::{
        list_pages::list_pages, namespace_text::opt_in, pod_text::PodText, read_error::in_time,
        upstreams, watched_object::WatchedObject,
    },
    narrow::{EventText, is_probed},
};
use crate::{
    constants::{API_REQUEST_TIMEOUT, MAX_AUDITED_PAGES, MAX_FAILED_HOOKS},
    injection::Pod,
    protection::{
        AuditReport, AuditSettings, AuditedPod, Budget, ExplainedStep, NamespaceOptIn,
        ProtectionAudit, Replication, WorkloadPlace, explain,
    },
    upstreams::{IngressController, Kind, Snapshot, StringMap, Target, UpstreamIndex},
};

/// Why a Pod cannot be explained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// There is no such Pod.
    #[error("no Pod {name} in namespace {namespace}")]
    NotFound {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// It cannot be read.
    #[error("cannot read Pod {name}: {error}")]
    Unreadable {
        /// The name.
        name: String,
        /// Why.
        error: String,
    },
}

/// Reads what an audit needs. Whatever cannot be read is left out and named.
pub(crate) struct ClusterAudit<'p> {
    client: Client,
    /// Whose Pods it is about: those of one namespace, or all.
    scope: Option<String>,
    settings: AuditSettings,
    /// Which namespaces have opted in, by their labels.
    is_opted_in: &'p dyn Fn(&StringMap) -> bool,
    /// Called with what is read, and how many there are so far.
    progress: &'p dyn Fn(&str, usize),
    facts: Facts,
}

#[derive(Default)]
struct Facts {
    unread: Vec<String>,
    namespaces: BTreeMap<String, NamespaceOptIn>,
    snapshot: Snapshot,
    /// The namespaces, and the beginning of the names, of Pods whose hook could not be run.
    failed_hooks: HashSet<(String, String)>,
}

impl<'p> ClusterAudit<'p> {
    /// Reads the namespaces, Services and routes. `is_opted_in` says it of the
    /// labels of a namespace.
    pub(crate) async fn read(
        client: Client,
        scope: Option<String>,
        controller: IngressController,
        settings: AuditSettings,
        is_opted_in: &'p dyn Fn(&StringMap) -> bool,
        progress: &'p dyn Fn(&str, usize),
    ) -> Self {
        let facts = Facts::default();
        let mut audit = Self { client, scope, settings, is_opted_in, progress, facts };
        audit.read_upstreams(controller).await;
        audit.read_failed_hooks().await;
        audit
    }

    /// Whether there is a namespace of this name, as far as that is known.
    pub(crate) fn may_have_namespace(&self, name: &str) -> bool {
        let namespaces = &self.facts.namespaces;
        namespaces.is_empty() || namespaces.contains_key(name)
    }

    /// Adds what could not be read before.
    pub(crate) fn add_unread(&mut self, unread: Vec<String>) {
        self.facts.unread.splice(0..0, unread);
    }

    /// Reads the Pods and their workloads.
    pub(crate) async fn report(mut self) -> AuditReport {
        let mut audit = ProtectionAudit::new(self.settings.clone());
        let facts = std::mem::take(&mut self.facts);
        let pods = ApiResource::erase::<v1::Pod>(&());
        let list = self.list(&pods, ListParams::default(), |object| {
            facts.audited(object, |place, pod, target| audit.add(place, pod, target, None));
        });
        let mut unread = Vec::from_iter(list.await);
        unread.extend(self.read_replication(&mut audit).await);
        let budgets = ApiResource::erase::<PodDisruptionBudget>(&());
        let list = self.list(&budgets, ListParams::default(), |object| {
            if let Some(budget) = Budget::read(object.name(), object.text()) {
                audit.budget(object.namespace(), &budget);
            }
        });
        unread.extend(list.await);
        let names = facts.namespaces.keys().map(String::as_str);
        let scope = self.scope.as_deref();
        let names = names.filter(|name| scope.is_none_or(|scope| scope == *name));
        let unread = facts.unread.iter().cloned().chain(unread).collect();
        audit.report(&facts.snapshot, names, unread)
    }

    /// Everything that is known of one Pod.
    ///
    /// # Errors
    /// When it does not exist, or cannot be read.
    pub(crate) async fn explain(
        self,
        namespace: &str,
        name: &str,
    ) -> Result<Vec<ExplainedStep>, ExplainError> {
        let pods = ApiResource::erase::<v1::Pod>(&());
        let api = kube::Api::<WatchedObject>::namespaced_with(self.client, namespace, &pods);
        let pod = in_time(API_REQUEST_TIMEOUT, api.get_opt(name)).await;
        let unreadable = |error: String| ExplainError::Unreadable { name: name.to_owned(), error };
        let Some(pod) = pod.map_err(|error| unreadable(error.to_string()))? else {
            return Err(ExplainError::NotFound {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            });
        };
        let mut explanation = None;
        self.facts.audited(&pod, |place, pod, target| {
            explanation = Some(explain(&place, pod, &target, &self.settings));
        });
        let mut explanation =
            explanation.ok_or_else(|| unreadable("a field has the wrong type".to_owned()))?;
        explanation.extend(self.facts.unread.into_iter().map(|unread| ("unread", unread)));
        Ok(explanation)
    }

    async fn read_upstreams(&mut self, controller: IngressController) {
        let mut index = UpstreamIndex::new(controller);
        let served = in_time(API_REQUEST_TIMEOUT, upstreams::served(&self.client)).await;
        let served = served.unwrap_or_else(|error| {
            self.facts.unread.push(format!("which kinds are served: {error}"));
            upstreams::always_served()
        });
        for (kind, version) in served {
            index.serve(kind, true);
            if !kind.has_rules() {
                continue;
            }
            let resource = upstreams::resource(kind, version);
            let mut count = 0;
            let namespaces = &mut self.facts.namespaces;
            let (is_opted_in, progress) = (self.is_opted_in, self.progress);
            let take = |object: &WatchedObject| {
                count += 1;
                progress(kind.plural(), count);
                if kind == Kind::Namespace {
                    let opt_in = opt_in(object.text(), is_opted_in);
                    namespaces.insert(object.name().to_owned(), opt_in);
                }
                index.apply(upstreams::cluster_object(object, kind));
            };
            let client = &self.client;
            // A route of another namespace may name a Service of this one.
            let read =
                list_pages(client, &resource, None, ListParams::default(), MAX_AUDITED_PAGES, take)
                    .await;
            if let Err(error) = read
                && !error.is_absent()
            {
                self.facts.unread.push(format!("{}: {error}", kind.plural()));
            }
        }
        self.facts.snapshot = index.snapshot();
    }

    /// The kubelet tells by an Event that it could not run a hook.
    async fn read_failed_hooks(&mut self) {
        let events = ApiResource::erase::<v1::Event>(&());
        let parameters = ListParams::default().fields("reason=FailedPreStopHook");
        let mut failed = HashSet::new();
        let unread = self
            .list(&events, parameters, |object| {
                let event = serde_json::from_str::<EventText>(object.text()).unwrap_or_default();
                if failed.len() < MAX_FAILED_HOOKS {
                    failed.extend(event.template());
                }
            })
            .await;
        self.facts.unread.extend(unread);
        self.facts.failed_hooks = failed;
    }

    async fn read_replication(&self, audit: &mut ProtectionAudit) -> Vec<String> {
        let mut unread = Vec::new();
        for resource in [
            ApiResource::erase::<Deployment>(&()),
            ApiResource::erase::<StatefulSet>(&()),
            ApiResource::erase::<DaemonSet>(&()),
        ] {
            let kind = &resource.kind;
            let list = self.list(&resource, ListParams::default(), |object| {
                let replication = Replication::read(object.text());
                audit.replicate(object.namespace(), kind, object.name(), &replication);
            });
            unread.extend(list.await);
        }
        unread
    }

    /// Lists the objects of the scope. Returns what could not be read.
    async fn list(
        &self,
        resource: &ApiResource,
        parameters: ListParams,
        mut take: impl FnMut(&WatchedObject),
    ) -> Option<String> {
        let mut count = 0;
        let take = |object: &WatchedObject| {
            count += 1;
            (self.progress)(&resource.plural, count);
            take(object);
        };
        let scope = self.scope.as_deref();
        let error = list_pages(&self.client, resource, scope, parameters, MAX_AUDITED_PAGES, take)
            .await
            .err()?;
        let count = if count == 0 { String::new() } else { format!(" after {count}") };
        let hint = match error {
            _ if scope.is_none() && error.is_forbidden() => {
                "; name a namespace that you may read: -n"
            }
            _ => "",
        };
        Some(format!("{}{count}: {error}{hint}", resource.plural))
    }
}

impl Facts {
    /// Calls `then` with what is known of a Pod, if it can be read.
    fn audited(
        &self,
        object: &WatchedObject,
        then: impl FnOnce(WorkloadPlace, &AuditedPod<'_, '_>, Target),
    ) {
        let text = object.text();
        let (Ok(pod), Ok(more)) =
            (serde_json::from_str::<Pod<'_>>(text), serde_json::from_str::<PodText>(text))
        else {
            return;
        };
        let labels = pod.metadata.iter().flat_map(|metadata| metadata.labels.iter());
        let target = self.snapshot.target(object.namespace(), labels);
        let audited = AuditedPod {
            pod: &pod,
            life: more.life(),
            created: more.created(),
            routed: target.since(),
            namespace: self.namespaces.get(object.namespace()),
            is_probed: is_probed(text),
            hook_failed: pod.metadata.as_ref().is_some_and(|metadata| {
                let [namespace, name] = [object.namespace(), metadata.name_prefix()];
                self.failed_hooks.contains(&(namespace.to_owned(), name.to_owned()))
            }),
        };
        then(WorkloadPlace::of(object.namespace(), &pod), &audited, target.clone());
    }
}
