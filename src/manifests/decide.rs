//! The patch for an object.

use json_patch::Patch;
use jsonptr::Pointer;
use serde_json::Value;

use super::{
    error::Fault,
    objects::{Object, Pods},
    operation::Operation,
    partial::missing_part,
    report::Report,
};

/// The patch for an object of `document`. Adds the lines about the object to the report.
pub(super) fn decide(
    object: &Object<'_>,
    document: &Value,
    operation: &Operation,
    report: &mut Report,
) -> Result<Patch, Fault> {
    match &object.pods {
        Pods::At { path, is_job } => {
            if let Some(why) = stays_as_it_is(object, path, document) {
                report.left_alone(&object.title, &why);
                return Ok(Patch::default());
            }
            let outcome = operation.of(object, path, *is_job)?;
            report.object(&object.title, &outcome);
            Ok(outcome.patch)
        }
        Pods::Missing => {
            report.unchanged(&object.title, "no Pod template");
            Ok(Patch::default())
        }
        Pods::Unknown { paths } => {
            let what = "a Pod template in an unknown kind stays as it is";
            report.notice(&object.title, &format!("{}: {what}", paths.join(", ")));
            report.other();
            Ok(Patch::default())
        }
        Pods::None => {
            report.other();
            Ok(Patch::default())
        }
    }
}

/// Why an object must not be changed here.
fn stays_as_it_is(object: &Object<'_>, path: &Pointer, document: &Value) -> Option<String> {
    if document["sops"].is_object() {
        return Some(
            "encrypted by SOPS, which would notice the change: decrypt it first".to_owned(),
        );
    }
    let template = object.value.pointer(path.as_str())?;
    let part = missing_part(object.value, template)?;
    Some(format!("{part}, as in a patch of kustomize: inject the output of kustomize build"))
}
