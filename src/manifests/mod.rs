//! Manifests: does for files what the webhook does for Pods.
//!
//! The core decides ([`crate::injection`]). This room reads a text with the position of everything
//! in it, finds the Pods and Pod templates, and adds to the text what the decision adds. All other
//! bytes stay. It never writes a file.

mod count;
mod diff_path;
mod error;
mod hint;
mod misplaced;
mod objects;
mod operation;
mod outcome;
mod output;
mod partial;
mod printable;
mod report;
mod source;
mod text;

pub use error::{Fault, ManifestError};
pub use operation::Operation;
pub use output::{Format, render};
pub use report::Report;
pub use source::{ManifestSource, ReadSource, read_sources};

use json_patch::Patch;
use jsonptr::Pointer;
use serde_json::Value;

use hint::hint;
use objects::{Object, Pods};
use text::{Data, Document, Reading, Rewriter, Style};

/// A text before and after an operation.
#[derive(Debug)]
pub struct ChangedSource {
    source: ManifestSource,
    /// `None` if nothing changes.
    after: Option<String>,
    patches: Vec<ObjectPatch>,
}

impl ChangedSource {
    /// The text after the operation.
    pub fn after(&self) -> &str {
        self.after.as_deref().unwrap_or(&self.source.text)
    }
}

/// The patch of an object.
#[derive(Debug)]
struct ObjectPatch {
    /// The number of its document, from 1.
    document: usize,
    api_version: Value,
    kind: Value,
    name: Value,
    namespace: Option<String>,
    patch: Patch,
}

/// How to apply an operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApplyOptions {
    /// Leave out the sources that cannot be read or changed, and report them.
    pub skips_unreadable: bool,
    /// Keep the patches, for [`Format::Patch`].
    pub keeps_patches: bool,
}

/// Applies `operation` to all `sources`, or to none.
///
/// # Errors
/// When a source cannot be read, or cannot be changed without changing something else too.
pub fn apply(
    sources: Vec<ReadSource>,
    operation: &Operation,
    options: ApplyOptions,
) -> Result<(Vec<ChangedSource>, Report), ManifestError> {
    let mut report = Report::new(sources.len() > 1);
    let mut changed = Vec::new();
    for source in sources {
        let mark = report.mark();
        match source
            .and_then(|source| apply_to(source, operation, options.keeps_patches, &mut report))
        {
            Ok(source) => changed.push(source),
            Err(error) if options.skips_unreadable => report.skip(mark, &error),
            Err(error) => return Err(error),
        }
    }
    Ok((changed, report))
}

/// One document after the other: of each, only its text and a fingerprint remain.
fn apply_to(
    source: ManifestSource,
    operation: &Operation,
    keeps_patches: bool,
    report: &mut Report,
) -> Result<ChangedSource, ManifestError> {
    let fail = |line, document, fault| ManifestError::Manifest {
        hint: hint(&source, line),
        file: source.name.clone(),
        line,
        document,
        fault: Box::new(fault),
    };
    report.file(&source.name);
    if source.was_utf16 {
        report.notice(&source.name, &"UTF-16 is read, and UTF-8 is written");
    }
    let reading = Reading { must_be_json: source.must_be_json(), splits_lists: true };
    let documents = text::documents(&source.text, reading)
        .map_err(|(line, number, fault)| fail(line, number, fault))?;
    let style = Style::of(&source.text, documents.is_json());
    let mut result = Rewritten::new(&source.text, style, keeps_patches);
    for document in documents {
        let document = document.map_err(|(line, number, fault)| fail(line, number, fault))?;
        let number = document.number;
        let data = document.data().map_err(|(line, fault)| fail(line, number, fault))?;
        result
            .take(&document, data, operation, report)
            .map_err(|(line, fault)| fail(line, number, fault))?;
    }
    let Rewritten { rewriter, wanted, patches, changed, .. } = result;
    let Some((number, line)) = changed else {
        return Ok(ChangedSource { source, after: None, patches });
    };
    let after = rewriter.finish();
    // The edits are not trusted: the result is read again.
    match text::says(&after, reading, &wanted) {
        Ok(()) => Ok(ChangedSource { after: Some(after), source, patches }),
        Err(wrong) => {
            let wrong = wrong.and_then(|index| text::place_of(&source.text, reading, index));
            let (number, line) = wrong.unwrap_or((number, line));
            Err(fail(line, number, Fault::Unfaithful))
        }
    }
}

/// What remains of the documents of a text.
struct Rewritten<'t> {
    text: &'t str,
    style: Style,
    rewriter: Rewriter<'t>,
    /// The fingerprint of what each document has to say.
    wanted: Vec<u64>,
    keeps_patches: bool,
    patches: Vec<ObjectPatch>,
    /// The number and the line of the first that changes.
    changed: Option<(usize, usize)>,
}

impl<'t> Rewritten<'t> {
    fn new(text: &'t str, style: Style, keeps_patches: bool) -> Self {
        Self {
            text,
            style,
            rewriter: Rewriter::new(text),
            wanted: Vec::new(),
            keeps_patches,
            patches: Vec::new(),
            changed: None,
        }
    }

    fn take(
        &mut self,
        document: &Document<'_>,
        mut data: Data,
        operation: &Operation,
        report: &mut Report,
    ) -> Result<(), (usize, Fault)> {
        let (number, mut changes) = (document.number, Vec::new());
        for object in objects::objects(&data.value, document.of_list.as_ref()) {
            let patch = decide(&object, &data.value, operation, report)
                .map_err(|fault| (document.line_of(fault.path().unwrap_or(&object.path)), fault))?;
            if patch.is_empty() {
                continue;
            }
            if self.keeps_patches {
                self.patches.push(object_patch(number, object.value, patch.clone()));
            }
            changes.push((object.title, object.path, patch));
        }
        let title = match &changes[..] {
            [(title, ..)] => title.clone(),
            _ => format!("document {number}"),
        };
        for duplicate in &data.duplicates {
            report.notice(&title, duplicate);
        }
        let has_changed = !changes.is_empty();
        for (object, path, patch) in changes {
            let Some(place) = data.value.pointer_mut(path.as_str()) else { continue };
            json_patch::patch(place, &patch).map_err(|error| {
                let line = document.line_of(&path);
                (line, Fault::Template { object, path, message: error.to_string() })
            })?;
        }
        self.wanted.push(text::fingerprint(&data.value));
        if has_changed {
            let (edits, losses) = text::edits(self.text, self.style, document, data);
            self.rewriter.apply(edits);
            for loss in losses {
                report.notice(&title, &loss);
            }
            self.changed.get_or_insert((number, document.line));
        }
        Ok(())
    }
}

fn object_patch(document: usize, object: &Value, patch: Patch) -> ObjectPatch {
    let metadata = &object["metadata"];
    ObjectPatch {
        document,
        api_version: object["apiVersion"].clone(),
        kind: object["kind"].clone(),
        name: metadata["name"].clone(),
        namespace: metadata["namespace"].as_str().map(str::to_owned),
        patch,
    }
}

/// The patch for an object of `document`. Adds the lines about the object to the report.
fn decide(
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
    let part = partial::missing_part(object.value, template)?;
    Some(format!("{part}, as in a patch of kustomize: inject the output of kustomize build"))
}
