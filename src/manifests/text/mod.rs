//! YAML and JSON texts: reads them with positions, and changes them without touching anything else.

mod documents;
mod emit;
mod json;
mod line_counter;
mod object_list;
mod scalar;
mod splice;
mod tree;
mod value;
mod yaml_lists;

use std::hash::{DefaultHasher, Hasher};

use serde_json::Value;

pub(super) use documents::{Document, Reading, documents};
pub(super) use emit::Style;
pub(super) use splice::{Rewriter, edits};
pub(super) use value::Data;

use emit::{Emitter, Order};

/// All documents as JSON, one after the other, with the keys in the order of the text. `None` if it
/// is JSON already, or cannot be read.
pub(super) fn to_json(text: &str, reading: Reading) -> Option<String> {
    converted(text, reading, false, "", |document| {
        let data = document.data().ok()?;
        if data.value.is_null() {
            return Some(String::new());
        }
        let order = Order::of(&document.root);
        let emitter = Emitter { order: &order, style: Style { is_json: true, newline: "\n" } };
        Some(emitter.pretty(&data.value, Some(&document.root), "", "  ") + "\n")
    })
}

/// All documents as YAML, with the keys in the order of the text. `None` if it is YAML already, or
/// cannot be read.
pub(super) fn to_yaml(text: &str, reading: Reading) -> Option<String> {
    converted(text, reading, true, "---\n", |document| {
        let data = document.data().ok()?;
        let order = Order::of(&document.root);
        let emitter = Emitter { order: &order, style: Style { is_json: false, newline: "\n" } };
        Some(emitter.block(&data.value, Some(&document.root), 0) + "\n")
    })
}

/// A stream of JSON objects with YAML's separator between them, so that more may follow. `None` if
/// it is YAML already, or cannot be read.
pub(super) fn separated(text: &str, reading: Reading) -> Option<String> {
    converted(text, reading, true, "---\n", |document| {
        Some(format!("{}\n", &text[document.root.start..document.root.end]))
    })
}

/// Each document as `convert` writes it, with `separator` between them. `None` if the text is not of
/// the kind that `is_json` says, or cannot be read.
fn converted(
    text: &str,
    reading: Reading,
    is_json: bool,
    separator: &str,
    convert: impl Fn(&Document<'_>) -> Option<String>,
) -> Option<String> {
    let documents = documents(text, reading).ok().filter(|it| it.is_json() == is_json)?;
    let mut converted = String::new();
    for document in documents {
        if !converted.is_empty() {
            converted += separator;
        }
        converted += &convert(&document.ok()?)?;
    }
    Some(converted)
}

/// A short stand-in for the data of a document. Equal data have equal ones.
pub(super) fn fingerprint(data: &Value) -> u64 {
    struct Writer(DefaultHasher);
    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut writer = Writer(DefaultHasher::new());
    // Neither a value nor this writer fails.
    let _ = serde_json::to_writer(&mut writer, data);
    writer.0.finish()
}

/// Whether the documents of `text` have the data with these fingerprints. Otherwise the first
/// document that does not, if the text is readable.
pub(super) fn says(text: &str, reading: Reading, wanted: &[u64]) -> Result<(), Option<usize>> {
    let mut wanted = wanted.iter().enumerate();
    for document in documents(text, reading).map_err(|_| None)? {
        let (document, (index, wanted)) = (document.map_err(|_| None)?, wanted.next().ok_or(None)?);
        if document.data().map_or(true, |data| fingerprint(&data.value) != *wanted) {
            return Err(Some(index));
        }
    }
    if wanted.next().is_some() { Err(None) } else { Ok(()) }
}

/// The number and the line of the document at `index`.
pub(super) fn place_of(text: &str, reading: Reading, index: usize) -> Option<(usize, usize)> {
    let document = documents(text, reading).ok()?.nth(index)?.ok()?;
    Some((document.number, document.line))
}
