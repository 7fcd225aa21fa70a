//! The index of upstreams: whatever happens in a cluster, it says what an index says that is built
//! from what is left. The objects are those of the cases in tests/upstreams.

use std::{collections::BTreeMap, sync::LazyLock};

use apisix_prestop::{
    constants::{
        MAX_NAMED_SERVICES, MAX_NAMED_SERVICES_OF_A_NAMESPACE, MAX_NAMESPACE_BYTES,
        MAX_ROUTES_OF_A_SERVICE,
    },
    upstreams::{
        ClusterObject as Object, IngressController as Controller, Kind, ObjectId, Snapshot, Target,
        UpstreamIndex, Version, VersionChoice, Workload,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::upstreams::all;

/// The objects of all cases. Most of them have the name of another one.
static OBJECTS: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let objects = all().into_iter().flat_map(|case| case.objects(Version::V2));
    let mut read = Vec::<Object>::new();
    for object in objects {
        let text = |field: &str| object[field].as_str().unwrap();
        let parsed = Object::from_manifest(text("apiVersion"), text("kind"), &object, "default");
        if let Some(object) = parsed.unwrap().filter(|object| !read.contains(object)) {
            read.push(object);
        }
    }
    read
});

/// What can happen to a cluster.
#[derive(Clone, Debug)]
enum Event {
    Apply(Object),
    Delete(ObjectId),
    /// A watch lists a kind anew: so many of its objects are left.
    Reset(Kind, usize),
    Serve(Kind, bool),
    Snapshot,
}

fn event() -> impl Strategy<Value = Event> {
    let object = || (0..OBJECTS.len()).prop_map(|place| OBJECTS[place].clone());
    let kind = prop::sample::select(&[
        Kind::Service,
        Kind::IngressClass,
        Kind::Gateway,
        Kind::HttpRoute,
        Kind::ApisixRoute,
        Kind::ApisixUpstream,
        Kind::ReferenceGrant,
        Kind::Namespace,
    ]);
    let served = prop::sample::select(&[Kind::GatewayProxy, Kind::ApisixRoute]);
    prop_oneof![
        8 => object().prop_map(Event::Apply),
        3 => object().prop_map(|object| Event::Delete(object.id)),
        1 => (kind, 0..4_usize).prop_map(|(kind, left)| Event::Reset(kind, left)),
        1 => (served, any::<bool>()).prop_map(|(kind, is)| Event::Serve(kind, is)),
        2 => Just(Event::Snapshot),
    ]
}

/// The objects of a cluster, without anything clever.
#[derive(Debug, Default)]
struct Cluster {
    objects: BTreeMap<ObjectId, Object>,
    served: BTreeMap<Kind, bool>,
}

impl Cluster {
    fn happens(&mut self, event: &Event) {
        match event {
            Event::Apply(object) => {
                self.objects.insert(object.id.clone(), object.clone());
            }
            Event::Delete(id) => {
                self.objects.remove(id);
            }
            Event::Reset(kind, left) => {
                let left = self.of_kind(*kind, *left);
                self.objects.retain(|id, _| id.kind != *kind || left.iter().any(|it| it.id == *id));
            }
            Event::Serve(kind, is_served) => {
                self.served.insert(*kind, *is_served);
            }
            Event::Snapshot => {}
        }
    }

    fn of_kind(&self, kind: Kind, most: usize) -> Vec<Object> {
        self.objects.values().filter(|object| object.id.kind == kind).take(most).cloned().collect()
    }

    fn index(&self, controller: Controller) -> UpstreamIndex {
        let mut index = UpstreamIndex::new(controller);
        for (kind, is_served) in &self.served {
            index.serve(*kind, *is_served);
        }
        for object in self.objects.values() {
            index.apply(object.clone());
        }
        index
    }
}

fn controller() -> impl Strategy<Value = Controller> {
    const VERSIONS: [VersionChoice; 3] =
        [VersionChoice::Auto, VersionChoice::V1_8, VersionChoice::V2];
    prop::sample::select(&VERSIONS[..])
        .prop_map(|version| Controller { version, ..Controller::default() })
}

fn workloads() -> Vec<Workload> {
    let pods = [
        &[("app", "web")][..],
        &[("app", "web"), ("track", "canary")],
        &[("app", "web"), ("tier", "front")],
        &[("app", "api")],
        &[],
    ];
    let workload = |namespace: &str, labels: &[(&str, &str)]| Workload {
        kind: "Deployment".to_owned(),
        namespace: namespace.to_owned(),
        name: format!("{labels:?}"),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    pods.iter().flat_map(|labels| ["shop", "pay"].map(|it| workload(it, labels))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// The incremental index and one from scratch say the same, of everything.
    #[test]
    fn after_any_events_it_says_what_a_new_index_says(
        controller in controller(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let (mut cluster, mut index) = (Cluster::default(), UpstreamIndex::new(controller.clone()));
        for event in &events {
            match event {
                Event::Apply(object) => index.apply(object.clone()),
                Event::Delete(id) => index.delete(id),
                Event::Reset(kind, left) => index.reset(*kind, cluster.of_kind(*kind, *left)),
                Event::Serve(kind, is_served) => index.serve(*kind, *is_served),
                Event::Snapshot => drop(index.snapshot()),
            }
            cluster.happens(event);
        }
        let expected = cluster.index(controller).report(workloads());
        prop_assert_eq!(index.report(workloads()), expected);
    }

    /// A snapshot that was given out does not change, and the next one shares every namespace in
    /// which nothing has changed.
    #[test]
    fn a_change_concerns_only_the_namespaces_that_it_is_about(
        before in prop::collection::vec(event(), 1..40),
        event in event(),
    ) {
        let mut cluster = Cluster::default();
        before.iter().for_each(|event| cluster.happens(event));
        let mut index = cluster.index(Controller::default());
        let snapshot = index.snapshot();
        let targets = |snapshot: &Snapshot| {
            let of = |it: &Workload| {
                (it.namespace.clone(), snapshot.target(&it.namespace, it.labels.iter()))
            };
            workloads().iter().map(of).collect::<Vec<_>>()
        };
        let earlier = targets(&snapshot);
        if let Event::Apply(object) = &event {
            index.apply(object.clone());
        }
        let later = index.snapshot();
        prop_assert_eq!(&targets(&snapshot), &earlier, "a snapshot changes");
        let changed = later.changed_since(&snapshot);
        for ((namespace, before), (_, after)) in earlier.iter().zip(targets(&later)) {
            prop_assert!(
                *before == after || changed.contains(&**namespace),
                "{namespace}: {before} is {after} now, and only {changed:?} have changed"
            );
        }
    }
}

/// An index of what a tenant writes into `shop`, and a target in `pay` that must not suffer.
struct Tenants(UpstreamIndex);

impl Tenants {
    fn new() -> Self {
        let mut tenants = Self(UpstreamIndex::new(Controller::default()));
        for namespace in ["shop", "pay"] {
            tenants.apply(&service(namespace, "web"), 0);
        }
        tenants.apply(&route("pay", "web", 1), 0);
        tenants
    }

    fn apply(&mut self, object: &Value, bytes: usize) {
        let text = |field: &str| object[field].as_str().unwrap();
        let read = Object::from_manifest(text("apiVersion"), text("kind"), object, "default");
        self.0.apply(read.unwrap().unwrap().with_bytes(bytes));
    }

    /// What sends requests to the Pods with the label `app: web` in `shop`.
    fn target(&mut self) -> Target {
        let snapshot = self.0.snapshot();
        let other = snapshot.target("pay", [("app", "web")].into_iter());
        assert!(matches!(other, Target::Upstream { .. }), "the other tenant suffers: {other}");
        snapshot.target("shop", [("app", "web")].into_iter())
    }
}

fn service(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}},
    })
}

/// A route to the Service web and to so many Services in all.
fn route(namespace: &str, name: &str, services: usize) -> Value {
    let more = (1..services).map(|place| json!({"serviceName": format!("{name}-{place}")}));
    let backends: Vec<_> = [json!({"serviceName": "web"})].into_iter().chain(more).collect();
    json!({
        "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"http": [{"name": "all", "backends": backends}]},
    })
}

#[test]
fn a_route_with_too_many_services_makes_every_pod_of_its_namespace_unknown() {
    let mut tenants = Tenants::new();
    tenants.apply(&route("shop", "large", MAX_NAMED_SERVICES), 0);
    assert!(matches!(tenants.target(), Target::Upstream { .. }), "it is within the bound");
    tenants.apply(&route("shop", "large", MAX_NAMED_SERVICES + 1), 0);
    assert_eq!(tenants.target(), Target::Unknown);
    tenants.0.delete(&ObjectId::new(Kind::ApisixRoute, "shop", "large"));
    assert!(matches!(tenants.target(), Target::Service { .. }), "it is gone");
}

#[test]
fn routes_that_together_name_too_many_services_make_every_pod_unknown() {
    let mut tenants = Tenants::new();
    let fitting = MAX_NAMED_SERVICES_OF_A_NAMESPACE / MAX_NAMED_SERVICES;
    for place in 0..fitting {
        let mut route = route("shop", &format!("r{place}"), MAX_NAMED_SERVICES);
        route["spec"]["http"][0]["backends"][0]["serviceName"] = "other".into();
        tenants.apply(&route, 0);
    }
    assert!(matches!(tenants.target(), Target::Service { .. }), "they are within the bound");
    tenants.apply(&route("shop", "last", MAX_NAMED_SERVICES), 0);
    assert_eq!(tenants.target(), Target::Unknown);
    tenants.0.delete(&ObjectId::new(Kind::ApisixRoute, "shop", "last"));
    assert!(matches!(tenants.target(), Target::Service { .. }), "it is gone");
}

#[test]
fn objects_that_together_are_too_large_make_every_pod_unknown() {
    let mut tenants = Tenants::new();
    let half = MAX_NAMESPACE_BYTES / 2;
    tenants.apply(&service("shop", "a"), half);
    tenants.apply(&service("shop", "b"), half);
    assert!(matches!(tenants.target(), Target::Service { .. }), "they are within the bound");
    tenants.apply(&service("shop", "b"), half + 1);
    assert_eq!(tenants.target(), Target::Unknown);
    // A later list has less.
    let listed = ["web", "a"].map(|name| {
        Object::from_manifest("v1", "Service", &service("shop", name), "").unwrap().unwrap()
    });
    let other =
        Object::from_manifest("v1", "Service", &service("pay", "web"), "").unwrap().unwrap();
    tenants.0.reset(Kind::Service, listed.into_iter().chain([other]).collect());
    assert!(matches!(tenants.target(), Target::Service { .. }), "{}", tenants.target());
}

#[test]
fn more_routes_with_subsets_than_are_kept_mean_all_pods_of_the_service() {
    let mut tenants = Tenants::new();
    let subsets: Vec<_> = (0..=MAX_ROUTES_OF_A_SERVICE)
        .map(|place| json!({"name": format!("s{place}"), "labels": {"track": format!("{place}")}}))
        .collect();
    tenants.apply(
        &json!({
            "apiVersion": "apisix.apache.org/v2", "kind": "ApisixUpstream",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": {"subsets": subsets},
        }),
        0,
    );
    for place in 0..=MAX_ROUTES_OF_A_SERVICE {
        assert!(
            matches!(tenants.target(), Target::Service { .. }),
            "{place} routes send requests to Pods with other labels: {}",
            tenants.target()
        );
        let mut route = route("shop", &format!("r{place}"), 1);
        route["spec"]["http"][0]["backends"][0]["subset"] = format!("s{place}").into();
        tenants.apply(&route, 0);
    }
    assert!(matches!(tenants.target(), Target::Upstream { .. }), "{}", tenants.target());
}

#[test]
fn the_name_of_a_rule_is_short_and_has_no_signs() {
    let mut tenants = Tenants::new();
    let mut route = route("shop", "web", 1);
    route["spec"]["http"][0]["name"] = "a; grace 30s→1s\n\u{1b}[31m".repeat(20).into();
    tenants.apply(&route, 0);
    let text = tenants.target().to_string();
    assert!(text.len() < 200 && text.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{text:?}");
    assert!(!text.contains("; "), "it could be taken for another part of the record: {text}");
}
