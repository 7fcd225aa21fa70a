//! The output on stdout.

use std::borrow::Cow;

use clap::ValueEnum;
use serde_json::{Value, json};
use similar::TextDiff;

use super::{ChangedSource, text};

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The manifests as YAML
    Yaml,
    /// The manifests as JSON, one object after the other
    Json,
    /// One line of JSON per changed object: its identity, and a patch for
    /// `kubectl patch --type=json`
    Patch,
    /// A unified diff
    Diff,
}

/// All texts in `format`, or each in the format of its input.
pub fn render(changed: &[ChangedSource], format: Option<Format>) -> String {
    match format {
        Some(Format::Patch) => changed.iter().map(patches).collect(),
        Some(Format::Diff) => changed.iter().map(diff).collect(),
        format => {
            let is_alone = changed.len() == 1 || format == Some(Format::Json);
            let texts: Vec<_> =
                changed.iter().map(|changed| manifests(changed, format, is_alone)).collect();
            if format == Some(Format::Json) { concatenated(&texts) } else { joined(&texts) }
        }
    }
}

/// A text in `format`.
fn manifests(changed: &ChangedSource, format: Option<Format>, is_alone: bool) -> Cow<'_, str> {
    let after = &changed.after;
    let converted = || {
        let stream = text::read(after, changed.source.is_json).ok()?;
        let data: Option<Vec<_>> = stream.documents.iter().map(|one| one.data().ok()).collect();
        match format {
            Some(Format::Json) if !stream.is_json => Some(text::to_json(&stream, &data?)),
            Some(Format::Yaml) if stream.is_json => Some(text::to_yaml(&stream, &data?)),
            // Before or after YAML, JSON objects need a separator.
            None if stream.is_json && !is_alone => Some(text::separated(after, &stream)),
            _ => None,
        }
    };
    // The text has been read before, so this conversion does not fail.
    converted().map_or(Cow::Borrowed(after), Cow::Owned)
}

/// JSON objects, one after the other.
fn concatenated(texts: &[Cow<'_, str>]) -> String {
    let [text] = texts else {
        let objects = texts.iter().map(|text| bare(text).trim()).filter(|text| !text.is_empty());
        return objects.map(|text| format!("{text}\n")).collect();
    };
    text.clone().into_owned()
}

/// A text without a byte order mark, which only the first text may have.
fn bare(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Texts as one YAML stream.
fn joined(texts: &[Cow<'_, str>]) -> String {
    let mut stream = String::new();
    for text in texts {
        if stream.is_empty() {
            // Readers take a stream that begins with a brace for JSON only.
            if texts.len() > 1 && text.starts_with(['{', '[']) {
                stream.push_str("---\n");
            }
            stream.push_str(text);
            continue;
        }
        let text = bare(text);
        if !stream.ends_with('\n') {
            stream.push('\n');
        }
        if text.starts_with('%') {
            stream.push_str("...\n");
        } else if !(text == "---" || text.starts_with("---\n") || text.starts_with("---\r\n")) {
            stream.push_str("---\n");
        }
        stream.push_str(text);
    }
    stream
}

fn patches(changed: &ChangedSource) -> String {
    let lines = changed.patches.iter().map(|one| {
        let metadata = &one.object["metadata"];
        let mut line = json!({
            "file": changed.source.name,
            "document": one.document,
            "apiVersion": one.object["apiVersion"],
            "kind": one.object["kind"],
            "name": metadata["name"],
            "patch": one.patch,
        });
        if let Some(namespace @ Value::String(_)) = metadata.get("namespace") {
            line["namespace"] = namespace.clone();
        }
        format!("{line}\n")
    });
    lines.collect()
}

fn diff(changed: &ChangedSource) -> String {
    let ChangedSource { source, after, .. } = changed;
    let name = source.name.trim_start_matches(['.', '/']);
    TextDiff::from_lines(source.text.as_str(), after.as_str())
        .unified_diff()
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}
