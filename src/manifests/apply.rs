//! Applies an operation to texts, one document after the other.

use super::{
    changed::ChangedSource,
    error::{Fault, ManifestError},
    hint::hint,
    operation::Operation,
    report::Report,
    rewritten::Rewritten,
    source::{ManifestSource, ReadSource},
    text::{self, Reading, Style},
};

/// How to apply an operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApplyOptions {
    /// Leave out the sources that cannot be read or changed, and report them.
    pub skips_unreadable: bool,
    /// Keep the patches, for [`super::Format::Patch`].
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
        report.notice("text", &"UTF-16 is read, and UTF-8 is written");
    }
    let reading = Reading { must_be_json: source.must_be_json(), splits_lists: true };
    let documents = text::documents(&source.text, reading)
        .map_err(|(line, number, fault)| fail(line, number, fault))?;
    // What is written then is read in the same way, although it may have no alias any more.
    let reading = documents.reading();
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
