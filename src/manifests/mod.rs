//! Manifests: does for files what the webhook does for Pods.
//!
//! The core decides ([`crate::injection`]). This room reads a text with the position of everything
//! in it, finds the Pods and Pod templates, and adds to the text what the decision adds. All other
//! bytes stay. It never writes a file.

mod error;
mod objects;
mod operation;
mod outcome;
mod output;
mod printable;
mod report;
mod source;
mod text;

pub use error::{Fault, ManifestError};
pub use operation::Operation;
pub use output::{Format, render};
pub use report::Report;
pub use source::{ManifestSource, read_sources};

use json_patch::Patch;
use serde_json::Value;

use objects::{Object, Pods};
use text::{Data, Loss, Stream};

/// A text before and after an operation.
#[derive(Debug)]
pub struct ChangedSource {
    source: ManifestSource,
    after: String,
    patches: Vec<ObjectPatch>,
}

impl ChangedSource {
    /// The text after the operation.
    pub fn after(&self) -> &str {
        &self.after
    }
}

/// The patch of an object.
#[derive(Debug)]
struct ObjectPatch {
    /// The number of its document, from 1.
    document: usize,
    object: Value,
    patch: Patch,
}

/// Applies `operation` to all `sources`, or to none.
///
/// # Errors
/// When a source cannot be read, or cannot be changed without changing something else too.
pub fn apply(
    sources: Vec<ManifestSource>,
    operation: &Operation,
) -> Result<(Vec<ChangedSource>, Report), ManifestError> {
    let mut report = Report::new(sources.len() > 1);
    let changed = sources
        .into_iter()
        .map(|source| {
            report.file(&source.name);
            apply_to(source, operation, &mut report)
        })
        .collect::<Result<_, _>>()?;
    Ok((changed, report))
}

fn apply_to(
    source: ManifestSource,
    operation: &Operation,
    report: &mut Report,
) -> Result<ChangedSource, ManifestError> {
    let manifest = |(line, document, fault)| ManifestError::Manifest {
        file: source.name.clone(),
        line,
        document,
        fault,
    };
    let stream = text::read(&source.text, source.is_json).map_err(manifest)?;
    let mut data = Vec::with_capacity(stream.documents.len());
    for (index, document) in stream.documents.iter().enumerate() {
        let one = document.data().map_err(|(line, fault)| manifest((line, index + 1, fault)))?;
        data.push(one);
    }
    let mut wanted: Vec<Value> = data.iter().map(|data| data.value.clone()).collect();
    let mut patches = Vec::new();
    let mut titles = Vec::new();
    for (index, (data, wanted)) in data.iter().zip(&mut wanted).enumerate() {
        let fail = |fault| manifest((stream.documents[index].line, index + 1, fault));
        let mut changed = Vec::new();
        for object in objects::objects(&data.value) {
            let patch = decide(&object, operation, report).map_err(fail)?;
            if patch.is_empty() {
                continue;
            }
            let target =
                wanted.pointer_mut(object.path.as_str()).unwrap_or(&mut Value::Null).take();
            let target = patched(target, &patch, &object).map_err(fail)?;
            if let Some(place) = wanted.pointer_mut(object.path.as_str()) {
                *place = target;
            }
            patches.push(ObjectPatch { document: index + 1, object: object.value.clone(), patch });
            changed.push(object.title);
        }
        titles.push(match &mut changed[..] {
            [title] => std::mem::take(title),
            _ => format!("document {}", index + 1),
        });
    }
    let (after, losses) = written(&source, &stream, &data, &wanted)
        .map_err(|index| manifest((stream.documents[index].line, index + 1, Fault::Unfaithful)))?;
    for (index, loss) in losses {
        report.notice(&titles[index], &loss);
    }
    Ok(ChangedSource { after, source, patches })
}

fn patched(mut target: Value, patch: &Patch, object: &Object<'_>) -> Result<Value, Fault> {
    match json_patch::patch(&mut target, patch) {
        Ok(()) => Ok(target),
        Err(error) => Err(Fault::Template {
            object: object.title.clone(),
            path: object.path.to_string(),
            message: error.to_string(),
        }),
    }
}

/// The patch for an object. Adds the lines about the object to the report.
fn decide(object: &Object<'_>, operation: &Operation, report: &mut Report) -> Result<Patch, Fault> {
    match &object.pods {
        Pods::At { path, is_job } => {
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

/// The text that says `wanted`, and what it loses. Otherwise the document that cannot be changed
/// without changing something else too.
fn written(
    source: &ManifestSource,
    stream: &Stream<'_>,
    data: &[Data],
    wanted: &[Value],
) -> Result<(String, Vec<(usize, Loss)>), usize> {
    let (mut edits, mut losses, mut first) = (Vec::new(), Vec::new(), None);
    for (index, (data, wanted)) in data.iter().zip(wanted).enumerate() {
        if data.value != *wanted {
            let document = &stream.documents[index];
            let (new, lost) = text::edits(&source.text, stream, document, data, wanted);
            edits.extend(new);
            losses.extend(lost.into_iter().map(|loss| (index, loss)));
            first = first.or(Some(index));
        }
    }
    let Some(first) = first else { return Ok((source.text.clone(), losses)) };
    let after = text::apply(&source.text, edits);
    // The edits are not trusted: the result is read again.
    match text::says(&after, source.is_json, wanted) {
        Ok(()) => Ok((after, losses)),
        Err(wrong) => Err(wrong.unwrap_or(first)),
    }
}
