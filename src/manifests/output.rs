//! The output on stdout.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::Path,
};

use clap::ValueEnum;
use serde_json::json;

use super::{
    changed::ChangedSource,
    diff_path::{diff_path, header},
    error::ManifestError,
    text::{self, Reading},
    unified_diff::unified_diff,
};

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

/// Writes all texts in `format`, or each in the format of its input.
///
/// # Errors
/// When `out` fails, or a diff would name a file outside of the working directory.
pub fn render(
    changed: &[ChangedSource],
    format: Option<Format>,
    out: &mut dyn Write,
) -> Result<(), ManifestError> {
    if format == Some(Format::Diff) {
        let changed = changed.iter().filter(|changed| changed.after.is_some());
        let paths = changed.map(|changed| Ok((changed, diff_path(&changed.source)?)));
        // No part of a diff is written if another part cannot be.
        for (changed, path) in paths.collect::<Result<Vec<_>, ManifestError>>()? {
            write_diff(changed, &path, out).map_err(ManifestError::Write)?;
        }
        return Ok(());
    }
    let written = match format {
        Some(Format::Patch) => changed.iter().try_for_each(|changed| write_patches(changed, out)),
        format => {
            let is_alone = changed.len() == 1 || format == Some(Format::Json);
            let texts = changed.iter().map(|changed| manifests(changed, format, is_alone));
            if format == Some(Format::Json) {
                write_concatenated(texts, changed.len() == 1, out)
            } else {
                write_joined(texts, changed.len() == 1, out)
            }
        }
    };
    written.map_err(ManifestError::Write)
}

/// A text in `format`.
fn manifests(changed: &ChangedSource, format: Option<Format>, is_alone: bool) -> Cow<'_, str> {
    let after = changed.after();
    let reading = Reading { must_be_json: changed.source.must_be_json(), splits_lists: false };
    let converted = match format {
        Some(Format::Json) => text::to_json(after, reading),
        Some(Format::Yaml) => text::to_yaml(after, reading),
        // Before or after YAML, JSON objects need a separator.
        None if !is_alone => text::separated(after, reading),
        _ => None,
    };
    converted.map_or(Cow::Borrowed(after), Cow::Owned)
}

/// JSON objects, one after the other.
fn write_concatenated<'t>(
    texts: impl Iterator<Item = Cow<'t, str>>,
    is_alone: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    for text in texts {
        if is_alone {
            out.write_all(text.as_bytes())?;
        } else if let text = bare(&text).trim()
            && !text.is_empty()
        {
            writeln!(out, "{text}")?;
        }
    }
    Ok(())
}

/// A text without a byte order mark, which only the first text may have.
fn bare(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Texts as one YAML stream.
fn write_joined<'t>(
    texts: impl Iterator<Item = Cow<'t, str>>,
    is_alone: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (mut is_first, mut is_on_new_line) = (true, true);
    for text in texts {
        let text = if is_first { &*text } else { bare(&text) };
        if is_first {
            // Readers take a stream that begins with a brace for JSON only.
            if !is_alone && text.starts_with(['{', '[']) {
                out.write_all(b"---\n")?;
            }
        } else {
            if !is_on_new_line {
                out.write_all(b"\n")?;
            }
            if text.starts_with('%') {
                out.write_all(b"...\n")?;
            } else if !(text == "---" || text.starts_with("---\n") || text.starts_with("---\r\n")) {
                out.write_all(b"---\n")?;
            }
        }
        out.write_all(text.as_bytes())?;
        is_first &= text.is_empty();
        is_on_new_line = text.ends_with('\n') || (text.is_empty() && is_on_new_line);
    }
    Ok(())
}

fn write_patches(changed: &ChangedSource, out: &mut dyn Write) -> io::Result<()> {
    for one in &changed.patches {
        let mut line = json!({
            "file": changed.source.name,
            "document": one.document,
            "apiVersion": one.api_version,
            "kind": one.kind,
            "name": one.name,
            "patch": one.patch,
        });
        if let Some(namespace) = &one.namespace {
            line["namespace"] = namespace.as_str().into();
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn write_diff(changed: &ChangedSource, path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let hunks = unified_diff(&changed.source.text, changed.after());
    if hunks.is_empty() {
        return Ok(());
    }
    write!(out, "--- {}\n+++ {}\n{hunks}", header("a", path), header("b", path))
}
