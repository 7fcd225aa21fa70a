//! The objects, and what a rule has looked at: when that changes, the rule is evaluated again.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use super::{
    kind::Kind,
    object::{ClusterObject, ObjectId, Spec},
    sorted::insert,
};

/// All objects, by kind, namespace and name.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects(BTreeMap<ObjectId, ClusterObject>);

impl Objects {
    pub(super) fn get(&self, id: &ObjectId) -> Option<&ClusterObject> {
        self.0.get(id)
    }

    pub(super) fn insert(&mut self, object: ClusterObject) {
        self.0.insert(object.id.clone(), object);
    }

    pub(super) fn remove(&mut self, id: &ObjectId) -> Option<ClusterObject> {
        self.0.remove(id)
    }

    /// The objects of a kind, in the order of their namespaces and names.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &ClusterObject> {
        self.from(kind, "").take_while(move |object| object.id.kind == kind)
    }

    /// The objects of a kind in a namespace, in the order of their names.
    pub(super) fn in_namespace<'o>(
        &'o self,
        kind: Kind,
        namespace: &str,
    ) -> impl Iterator<Item = &'o ClusterObject> + use<'o> {
        let namespace: Arc<str> = namespace.into();
        self.from(kind, &namespace)
            .take_while(move |object| object.id.kind == kind && object.id.namespace == namespace)
    }

    fn from<'o>(
        &'o self,
        kind: Kind,
        namespace: &str,
    ) -> impl Iterator<Item = &'o ClusterObject> + use<'o> {
        let first = ObjectId { kind, namespace: namespace.into(), name: "".into() };
        self.0.range(first..).map(|(_, object)| object)
    }
}

/// What a rule has looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Dependency {
    /// An object, which need not exist.
    Object(ObjectId),
    /// All objects of a kind in a namespace.
    All(Kind, Arc<str>),
}

/// Looks at objects, and remembers at which.
#[derive(Debug)]
pub(super) struct Lookup<'o> {
    objects: &'o Objects,
    dependencies: RefCell<Vec<Dependency>>,
}

impl<'o> Lookup<'o> {
    pub(super) fn new(objects: &'o Objects) -> Self {
        Self { objects, dependencies: RefCell::default() }
    }

    /// The object `name` of a kind.
    pub(super) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&'o ClusterObject> {
        let mut id = ObjectId::new(kind, namespace, name);
        let object = self.objects.get(&id);
        if let Some(object) = object {
            // The names of an object are kept once.
            id = object.id.clone();
        }
        insert(&mut self.dependencies.borrow_mut(), Dependency::Object(id));
        object
    }

    /// What identifies an object, which need not exist.
    pub(super) fn id(&self, kind: Kind, namespace: &str, name: &str) -> ObjectId {
        match self.get(kind, namespace, name) {
            Some(object) => object.id.clone(),
            None => ObjectId::new(kind, namespace, name),
        }
    }

    /// All objects of a kind in a namespace.
    pub(super) fn all(
        &self,
        kind: Kind,
        namespace: &str,
    ) -> impl Iterator<Item = (&'o ClusterObject, &'o Spec)> + use<'o> {
        insert(&mut self.dependencies.borrow_mut(), Dependency::All(kind, namespace.into()));
        self.objects.in_namespace(kind, namespace).map(|object| (object, &object.spec))
    }

    /// What was looked at.
    pub(super) fn into_dependencies(self) -> Box<[Dependency]> {
        self.dependencies.into_inner().into()
    }
}
