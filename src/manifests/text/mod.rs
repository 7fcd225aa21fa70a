//! YAML and JSON texts: reads them with positions, and changes them without touching anything else.

mod emit;
mod scalar;
mod splice;
mod tree;
mod value;

use serde_json::Value;

pub(super) use splice::{Loss, apply, edits};
pub(super) use tree::{Stream, read};
pub(super) use value::Data;

use emit::{Emitter, Order};

/// All documents as JSON, one after the other, with the keys in the order of the text.
pub(super) fn to_json(stream: &Stream<'_>, data: &[Data]) -> String {
    let documents = stream.documents.iter().zip(data);
    documents
        .filter(|(_, data)| !data.value.is_null())
        .map(|(document, data)| {
            let order = Order::of(&document.root);
            let emitter =
                Emitter { order: &order, is_json: true, is_compact: false, newline: "\n" };
            emitter.pretty(&data.value, Some(&document.root), "", "  ") + "\n"
        })
        .collect()
}

/// All documents as YAML, with the keys in the order of the text.
pub(super) fn to_yaml(stream: &Stream<'_>, data: &[Data]) -> String {
    let documents: Vec<_> = stream
        .documents
        .iter()
        .zip(data)
        .map(|(document, data)| {
            let order = Order::of(&document.root);
            let emitter =
                Emitter { order: &order, is_json: false, is_compact: false, newline: "\n" };
            emitter.block(&data.value, Some(&document.root), 0) + "\n"
        })
        .collect();
    documents.join("---\n")
}

/// A stream of JSON objects with YAML's separator between them, so that more may follow.
pub(super) fn separated(text: &str, stream: &Stream<'_>) -> String {
    let documents: Vec<_> = stream
        .documents
        .iter()
        .map(|document| format!("{}\n", &text[document.root.start..document.root.end]))
        .collect();
    documents.join("---\n")
}

/// Whether the documents of `text` have the data `wanted`. Otherwise the first document that does
/// not, if the text is readable.
pub(super) fn says(text: &str, is_json: bool, wanted: &[Value]) -> Result<(), Option<usize>> {
    let stream = read(text, is_json).map_err(|_| None)?;
    if stream.documents.len() != wanted.len() {
        return Err(None);
    }
    let mut documents = stream.documents.iter().zip(wanted);
    let wrong = documents
        .position(|(document, wanted)| document.data().map_or(true, |data| data.value != *wanted));
    wrong.map_or(Ok(()), |wrong| Err(Some(wrong)))
}
