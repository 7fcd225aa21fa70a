//! What goes to stdout.

use std::borrow::Cow;

use clap::ValueEnum;
use serde_json::{Value, json};
use similar::TextDiff;

use super::{Changed, text};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The manifests as YAML
    Yaml,
    /// The manifests as JSON, one object behind the other
    Json,
    /// A line of JSON for each object that changes: which it is, and a patch for
    /// `kubectl patch --type=json`
    Patch,
    /// A unified diff
    Diff,
}

/// All texts in `format`; without one, each in the format that it came in.
pub fn render(changed: &[Changed], format: Option<Format>) -> String {
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

/// A text, converted if it is not in `format` already.
fn manifests(changed: &Changed, format: Option<Format>, is_alone: bool) -> Cow<'_, str> {
    let after = &changed.after;
    let converted = || {
        let stream = text::read(after, changed.source.is_json).ok()?;
        let data: Option<Vec<_>> = stream.documents.iter().map(|one| one.data().ok()).collect();
        match format {
            Some(Format::Json) if !stream.is_json => Some(text::to_json(&stream, &data?)),
            Some(Format::Yaml) if stream.is_json => Some(text::to_yaml(&stream, &data?)),
            // Behind or in front of YAML, objects of JSON have to be separated.
            None if stream.is_json && !is_alone => Some(text::separated(after, &stream)),
            _ => None,
        }
    };
    // It has been read before: what cannot be read does not come here.
    converted().map_or(Cow::Borrowed(after), Cow::Owned)
}

/// Objects of JSON, one behind the other.
fn concatenated(texts: &[Cow<'_, str>]) -> String {
    let [text] = texts else {
        let objects = texts.iter().map(|text| bare(text).trim()).filter(|text| !text.is_empty());
        return objects.map(|text| format!("{text}\n")).collect();
    };
    text.clone().into_owned()
}

/// A text without a byte order mark, for one that is not the first.
fn bare(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Texts as one YAML stream.
fn joined(texts: &[Cow<'_, str>]) -> String {
    let mut stream = String::new();
    for text in texts {
        if stream.is_empty() {
            // A stream that begins with a brace would be taken for nothing but JSON.
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

fn patches(changed: &Changed) -> String {
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

fn diff(changed: &Changed) -> String {
    let Changed { source, after, .. } = changed;
    let name = source.name.trim_start_matches(['.', '/']);
    TextDiff::from_lines(source.text.as_str(), after.as_str())
        .unified_diff()
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}
