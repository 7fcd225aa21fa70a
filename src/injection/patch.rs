//! An injection as a JSON patch (RFC 6902).
//!
//! The API server *rejects* the Pod if a patch does not apply, whatever the failurePolicy says.
//! So a patch has only `add` operations, each to a parent that exists, `remove` operations for what
//! an earlier review added, and never a `test`. An `add` to an existing member replaces it.

use std::fmt;

use json_patch::Patch;
use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{
    decision::{HookPlacement, InjectedContainer, Injection},
    hook::Prepended,
    pod::Presence,
    record::InjectionRecord,
};
use crate::constants::INJECTED_ANNOTATION;

/// [`INJECTED_ANNOTATION`] in a JSON pointer, where a slash is written `~1`.
const INJECTED_TOKEN: &str = "apisix-prestop~1injected";

impl Injection<'_> {
    /// The patch. It is never empty.
    ///
    /// # Errors
    /// When serde_json cannot write the injection, or does not read a patch from what it wrote.
    pub fn patch(&self) -> serde_json::Result<Patch> {
        serde_json::from_slice(&serde_json::to_vec(self)?)
    }
}

/// Writes the patch without building it first.
impl Serialize for Injection<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut patch = serializer.serialize_seq(None)?;
        for container in &self.containers {
            container.write(&mut patch)?;
        }
        if let Some(raise) = self.grace {
            add(&mut patch, format_args!("/spec/terminationGracePeriodSeconds"), raise.to)?;
        }
        let annotations = NewAnnotations { record: &self.record };
        let path = format_args!("/metadata/annotations/{INJECTED_TOKEN}");
        match self.metadata {
            _ if self.record.is_empty() && self.was_recorded => remove(&mut patch, path)?,
            _ if self.record.is_empty() || !self.has_room_for_record => {}
            None => add(&mut patch, format_args!("/metadata"), NewMetadata { annotations })?,
            Some(Presence::Absent) => {
                add(&mut patch, format_args!("/metadata/annotations"), annotations)?;
            }
            Some(_) => add(&mut patch, path, &self.record)?,
        }
        patch.end()
    }
}

impl InjectedContainer<'_> {
    fn write<S: SerializeSeq>(&self, patch: &mut S) -> Result<(), S::Error> {
        let Self { index, delay, hook, .. } = *self;
        let handler = hook.handler(delay);
        match &self.placement {
            HookPlacement::Prepend { command } if delay.get() == 0 => add(
                patch,
                format_args!("/spec/containers/{index}/lifecycle/preStop/exec/command"),
                command,
            ),
            _ if delay.get() == 0 && self.removes_lifecycle() => {
                remove(patch, format_args!("/spec/containers/{index}/lifecycle"))
            }
            _ if delay.get() == 0 => {
                remove(patch, format_args!("/spec/containers/{index}/lifecycle/preStop"))
            }
            HookPlacement::Add { lifecycle: Presence::Absent } => add(
                patch,
                format_args!("/spec/containers/{index}/lifecycle"),
                NewLifecycle { pre_stop: handler },
            ),
            HookPlacement::Add { .. } | HookPlacement::Replace { .. } => {
                add(patch, format_args!("/spec/containers/{index}/lifecycle/preStop"), handler)
            }
            HookPlacement::Prepend { command } => add(
                patch,
                format_args!("/spec/containers/{index}/lifecycle/preStop/exec/command"),
                Prepended { delay, command },
            ),
        }
    }
}

fn add<S: SerializeSeq>(
    patch: &mut S,
    path: fmt::Arguments<'_>,
    value: impl Serialize,
) -> Result<(), S::Error> {
    patch.serialize_element(&Add { path, value })
}

#[derive(Serialize)]
#[serde(tag = "op", rename = "add")]
struct Add<'a, V> {
    path: fmt::Arguments<'a>,
    value: V,
}

fn remove<S: SerializeSeq>(patch: &mut S, path: fmt::Arguments<'_>) -> Result<(), S::Error> {
    patch.serialize_element(&Remove { path })
}

#[derive(Serialize)]
#[serde(tag = "op", rename = "remove")]
struct Remove<'a> {
    path: fmt::Arguments<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewLifecycle<H> {
    pre_stop: H,
}

#[derive(Serialize)]
struct NewMetadata<'a> {
    annotations: NewAnnotations<'a>,
}

/// The annotations of a Pod without any.
struct NewAnnotations<'a> {
    record: &'a InjectionRecord,
}

impl Serialize for NewAnnotations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(INJECTED_ANNOTATION, self.record)])
    }
}

#[cfg(test)]
mod tests {
    use json_patch::jsonptr::Token;

    use super::*;

    #[test]
    fn the_annotation_is_escaped_as_a_pointer_has_it() {
        assert_eq!(Token::new(INJECTED_ANNOTATION).encoded(), INJECTED_TOKEN);
    }
}
