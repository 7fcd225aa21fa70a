//! What remains of the documents of a text: the new text, and how to check it.

use super::{
    changed::ObjectPatch,
    decide::decide,
    error::Fault,
    objects::objects,
    operation::Operation,
    report::Report,
    text::{self, Data, Document, Rewriter, Style},
};

/// What remains of the documents of a text.
pub(super) struct Rewritten<'t> {
    text: &'t str,
    style: Style,
    pub(super) rewriter: Rewriter<'t>,
    /// The fingerprint of what each document has to say.
    pub(super) wanted: Vec<u64>,
    keeps_patches: bool,
    pub(super) patches: Vec<ObjectPatch>,
    /// The number and the line of the first that changes.
    pub(super) changed: Option<(usize, usize)>,
}

impl<'t> Rewritten<'t> {
    pub(super) fn new(text: &'t str, style: Style, keeps_patches: bool) -> Self {
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

    /// Takes the next document.
    pub(super) fn take(
        &mut self,
        document: &Document<'_>,
        mut data: Data,
        operation: &Operation,
        report: &mut Report,
    ) -> Result<(), (usize, Fault)> {
        let (number, mut changes) = (document.number, Vec::new());
        let objects = objects(&data.value, document.of_list.as_ref());
        let title = title_of(objects.iter().map(|object| &object.title), number);
        for object in objects {
            let patch = decide(&object, &data.value, operation, report)
                .map_err(|fault| (document.line_of(fault.path().unwrap_or(&object.path)), fault))?;
            if patch.is_empty() {
                continue;
            }
            if self.keeps_patches {
                self.patches.push(ObjectPatch::of(number, object.value, patch.clone()));
            }
            changes.push((object.title, object.path, patch));
        }
        for duplicate in &data.duplicates {
            report.notice(&title, duplicate);
        }
        let has_changed = !changes.is_empty();
        let changed_title = title_of(changes.iter().map(|(title, ..)| title), number);
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
                report.notice(&changed_title, &loss);
            }
            self.changed.get_or_insert((number, document.line));
        }
        Ok(())
    }
}

/// What a notice is about: the only object, or the document with this number.
fn title_of<'t>(mut titles: impl Iterator<Item = &'t String>, number: usize) -> String {
    match (titles.next(), titles.next()) {
        (Some(only), None) => only.clone(),
        _ => format!("document {number}"),
    }
}
