//! An injection as a JSON patch (RFC 6902).
//!
//! The API server *rejects* the Pod if a patch does not apply, whatever the failurePolicy says.
//! So there are only `add` operations, each to a parent that is known to be there, and never a
//! `test`. An `add` to a member that is there replaces it.

use json_patch::{Patch, PatchOperation};
use serde_json::{Map, Value, json};

use super::{
    decision::{Change, InjectedContainer, Injection},
    hook::{Hook, prepended},
    pod::Presence,
    record::add,
};
use crate::constants::INJECTED_ANNOTATION;

impl Injection<'_> {
    /// The patch that does it. It is never empty.
    pub fn patch(&self) -> Patch {
        let hooks = self.containers.iter().map(|container| container.operation(self.hook));
        let grace = ["spec", "terminationGracePeriodSeconds"];
        let grace = self.grace.map(|raise| add(grace, json!(raise.to)));
        Patch(hooks.chain(grace).chain([self.annotation()]).collect())
    }

    fn annotation(&self) -> PatchOperation {
        let record = Value::from(self.record.to_string());
        let annotations = |record| Map::from_iter([(INJECTED_ANNOTATION.to_owned(), record)]);
        match self.metadata {
            None => add(["metadata"], json!({"annotations": annotations(record)})),
            Some(Presence::Absent) => add(["metadata", "annotations"], annotations(record).into()),
            Some(_) => add(["metadata", "annotations", INJECTED_ANNOTATION], record),
        }
    }
}

impl InjectedContainer<'_> {
    fn operation(&self, hook: Hook) -> PatchOperation {
        let index = self.index.to_string();
        let path = ["spec", "containers", &index, "lifecycle", "preStop", "exec", "command"];
        let (depth, value) = match &self.change {
            Change::Add { lifecycle: Presence::Absent } => {
                (4, json!({"preStop": hook.handler(self.delay)}))
            }
            Change::Add { .. } => (5, hook.handler(self.delay)),
            Change::Prepend { command } => (7, prepended(self.delay, command)),
        };
        add(path[..depth].iter().copied(), value)
    }
}
