//! The index of upstreams: whatever happens in a cluster, it says what an index says that is built
//! from what is left. The objects are those of the cases in tests/upstreams.

use std::{collections::BTreeMap, sync::LazyLock};

use apisix_prestop::upstreams::{
    ClusterObject, IngressController, Kind, ObjectId, StringMap, UpstreamIndex, Version,
    VersionChoice, Workload,
};
use proptest::prelude::*;
use support::upstreams::all;

/// The objects of all cases. Most of them have the name of another one.
static OBJECTS: LazyLock<Vec<ClusterObject>> = LazyLock::new(|| {
    let objects = all().into_iter().flat_map(|case| case.objects(Version::V2));
    let mut read = Vec::<ClusterObject>::new();
    for object in objects {
        let text = |field: &str| object[field].as_str().unwrap();
        let parsed =
            ClusterObject::from_manifest(text("apiVersion"), text("kind"), &object, "default");
        if let Some(object) = parsed.unwrap().filter(|object| !read.contains(object)) {
            read.push(object);
        }
    }
    read
});

/// What can happen to a cluster.
#[derive(Clone, Debug)]
enum Event {
    Apply(ClusterObject),
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
    objects: BTreeMap<ObjectId, ClusterObject>,
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

    fn of_kind(&self, kind: Kind, most: usize) -> Vec<ClusterObject> {
        self.objects.values().filter(|object| object.id.kind == kind).take(most).cloned().collect()
    }

    fn index(&self, controller: IngressController) -> UpstreamIndex {
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

fn controller() -> impl Strategy<Value = IngressController> {
    const VERSIONS: [VersionChoice; 3] =
        [VersionChoice::Auto, VersionChoice::V1_8, VersionChoice::V2];
    prop::sample::select(&VERSIONS[..])
        .prop_map(|version| IngressController { version, ..IngressController::default() })
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
        let mut index = cluster.index(IngressController::default());
        let snapshot = index.snapshot();
        let targets = |snapshot: &apisix_prestop::upstreams::Snapshot| {
            let of = |it: &Workload| {
                let labels: &StringMap = &it.labels;
                let pairs = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                (it.namespace.clone(), snapshot.target(&it.namespace, pairs))
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
