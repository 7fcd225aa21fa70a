//! What probably helps with a text that cannot be read.

use super::source::ManifestSource;

/// What the line of a fault, or else the text, looks like.
pub(super) fn hint(source: &ManifestSource, line: usize) -> Option<&'static str> {
    let text = source.text.as_str();
    let at = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    [at, text].iter().find_map(|part| {
        if part.contains("{{") {
            Some(" (it looks like a template of Helm: inject the output of helm template)")
        } else if part.contains("${") {
            Some(" (it looks like a text with variables: substitute them first)")
        } else if source.must_be_json() && (part.contains("//") || part.contains("/*")) {
            Some(" (it looks like JSON with comments, which Kubernetes does not read)")
        } else {
            None
        }
    })
}
