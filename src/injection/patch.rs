//! An injection as a JSON patch (RFC 6902).
//!
//! The API server *rejects* the Pod if a patch does not apply, whatever the failurePolicy says.
//! So there are only `add` operations, each to a parent that is known to be there, and never a
//! `test`.

use json_patch::{AddOperation, Patch, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

use super::decision::Injection;

impl Injection<'_> {
    /// The patch that does it. It is never empty.
    pub fn patch(&self) -> Patch {
        let handler = self.hook.handler(self.delay);
        let hooks = self.containers.iter().map(|container| {
            let lifecycle = [
                "spec",
                "containers",
                &container.index.to_string(),
                "lifecycle",
            ]
            .map(str::to_owned);
            if container.has_lifecycle {
                add(
                    lifecycle.into_iter().chain(["preStop".to_owned()]),
                    handler.clone(),
                )
            } else {
                add(lifecycle, json!({"preStop": handler}))
            }
        });
        // `add` to an existing member replaces it: right whether or not the field is there.
        let grace = self.grace.map(|raise| {
            let path = ["spec", "terminationGracePeriodSeconds"].map(str::to_owned);
            add(path, json!(raise.to))
        });
        Patch(hooks.chain(grace).collect())
    }
}

fn add(path: impl IntoIterator<Item = String>, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: PointerBuf::from_tokens(path),
        value,
    })
}
