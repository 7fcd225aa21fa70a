//! Manifests on disk: what the webhook does to Pods, done to files.
//!
//! The decision is the core's ([`crate::injection`]). Here a text is read with the positions of
//! everything in it, the Pods and Pod templates are found, and what the decision adds is put into
//! the text. Everything else stays as it is, byte for byte. No file is ever written.

mod change;
mod error;
mod objects;
mod output;
mod report;
mod source;
mod text;

pub use change::Change;
pub use error::{Error, Fault};
pub use output::{Format, render};
pub use report::Report;
pub use source::{Source, read_sources};

use json_patch::Patch;
use serde_json::Value;

use objects::{Object, Pods};
use text::{Data, Loss, Stream};

/// A text before and after.
#[derive(Debug)]
pub struct Changed {
    source: Source,
    after: String,
    patches: Vec<ObjectPatch>,
}

impl Changed {
    /// The text after the change.
    pub fn after(&self) -> &str {
        &self.after
    }
}

/// What was done to an object.
#[derive(Debug)]
struct ObjectPatch {
    /// The number of its document, from 1.
    document: usize,
    object: Value,
    patch: Patch,
}

/// Does `change` to all `sources`, or to none.
///
/// # Errors
/// When one of them cannot be read, or not be changed without changing something else too.
pub fn change(sources: Vec<Source>, change: &Change) -> Result<(Vec<Changed>, Report), Error> {
    let mut report = Report::new(sources.len() > 1);
    let changed = sources
        .into_iter()
        .map(|source| {
            report.file(&source.name);
            change_text(source, change, &mut report)
        })
        .collect::<Result<_, _>>()?;
    Ok((changed, report))
}

fn change_text(source: Source, change: &Change, report: &mut Report) -> Result<Changed, Error> {
    let manifest = |(line, document, fault)| Error::Manifest {
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
            let patch = decide(&object, change, report).map_err(fail)?;
            if patch.is_empty() {
                continue;
            }
            let target = wanted.pointer_mut(&object.path).unwrap_or(&mut Value::Null).take();
            let target = patched(target, &patch, &object).map_err(fail)?;
            if let Some(place) = wanted.pointer_mut(&object.path) {
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
    Ok(Changed { after, source, patches })
}

fn patched(mut target: Value, patch: &Patch, object: &Object<'_>) -> Result<Value, Fault> {
    match json_patch::patch(&mut target, patch) {
        Ok(()) => Ok(target),
        Err(error) => Err(Fault::Template {
            object: object.title.clone(),
            path: object.path.clone(),
            message: error.to_string(),
        }),
    }
}

/// The patch for an object, with what is to be said about it said.
fn decide(object: &Object<'_>, change: &Change, report: &mut Report) -> Result<Patch, Fault> {
    match &object.pods {
        Pods::At { path, is_job } => {
            let outcome = change.of(object, path, *is_job)?;
            report.object(&object.title, &outcome);
            Ok(outcome.patch)
        }
        Pods::Missing => {
            report.unchanged(&object.title, "no Pod template");
            Ok(Patch::default())
        }
        Pods::Unknown { paths } => {
            let what = "a Pod template in a kind that we do not know is left as it is";
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

/// The text that says `wanted`, and what it loses. Or the document for which there is none.
fn written(
    source: &Source,
    stream: &Stream<'_>,
    data: &[Data],
    wanted: &[Value],
) -> Result<(String, Vec<(usize, Loss)>), usize> {
    let changed = |index: usize| data[index].value != wanted[index];
    if !(0..data.len()).any(changed) {
        return Ok((source.text.clone(), Vec::new()));
    }
    let write = |anew: &dyn Fn(usize) -> bool| {
        let mut edits = Vec::new();
        let mut losses = Vec::new();
        for index in (0..data.len()).filter(|index| changed(*index)) {
            let (document, data) = (&stream.documents[index], &data[index]);
            let (new, lost) = if anew(index) {
                text::rewrite(&source.text, stream, document, &wanted[index])
            } else {
                text::edits(&source.text, stream, document, data, &wanted[index])
            };
            edits.extend(new);
            losses.extend(lost.into_iter().map(|loss| (index, loss)));
        }
        (text::apply(&source.text, edits), losses)
    };
    // Never trusted: what was written is read again.
    let (after, losses) = write(&|_| false);
    let Err(wrong) = text::says(&after, source.is_json, wanted) else {
        return Ok((after, losses));
    };
    let (after, losses) = write(&|index| wrong.is_none_or(|wrong| wrong == index));
    match text::says(&after, source.is_json, wanted) {
        Ok(()) => Ok((after, losses)),
        Err(wrong) => Err(wrong.or_else(|| (0..data.len()).find(|i| changed(*i))).unwrap_or(0)),
    }
}
