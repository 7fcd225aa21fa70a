//! The documents of a text, one at a time.

use std::{ops::Range, vec};

use jsonptr::Pointer;

use super::{
    super::error::{Fault, without_position},
    json::{JsonPart, JsonReader, parts},
    line_counter::LineCounter,
    object_list::ObjectList,
    tree::{Node, NodeKind, Parsed, Part},
    value::{Data, key_name},
    yaml_lists::lists,
};

/// The byte order mark.
const MARK: char = '\u{feff}';

/// A document.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    /// Its number, from 1. The items of a List have the same.
    pub(crate) number: usize,
    /// The line where it begins, from 1.
    pub(crate) line: usize,
    /// Its value: null if it is empty.
    pub(crate) root: Node<'t>,
    /// The ranges of its comments.
    pub(super) comments: Vec<Range<usize>>,
    /// For an item of a list such as a PodList: the apiVersion and kind that it need not say.
    pub(crate) of_list: Option<(String, String)>,
}

impl Document<'_> {
    /// Reads the data.
    ///
    /// # Errors
    /// With the line and the fault, such as an alias inside of its own anchor.
    pub(crate) fn data(&self) -> Result<Data, (usize, Fault)> {
        Data::of(&self.root)
    }

    /// The line of the value at `path`, or of what is nearest above it.
    pub(crate) fn line_of(&self, path: &Pointer) -> usize {
        let (mut node, mut line) = (&self.root, self.line);
        for token in path.tokens() {
            let name = token.decoded();
            let below = match &node.kind {
                NodeKind::Mapping { entries, .. } => {
                    let mut keys = entries.iter().rev();
                    keys.find(|(key, _)| key_name(key).is_some_and(|key| key == name))
                        .map(|(key, value)| (key.line, value))
                }
                NodeKind::Sequence { items, .. } => {
                    let item = name.parse().ok().and_then(|place: usize| items.get(place));
                    item.map(|item| (item.line, item))
                }
                NodeKind::Scalar { .. } | NodeKind::Alias(_) => None,
            };
            let Some(below) = below else { break };
            (line, node) = below;
        }
        line
    }
}

/// A syntax error: the line, the number of the document, and the fault.
pub(crate) type Broken = (usize, usize, Fault);

/// How to read a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Its name ends in `.json`: it must be JSON. Other texts may be.
    pub(crate) must_be_json: bool,
    /// The items of a List stand for it.
    pub(crate) splits_lists: bool,
}

/// Reads the documents of a text, one at a time.
///
/// # Errors
/// When it must be JSON and is not, or has line ends that it cannot have.
pub(crate) fn documents(text: &str, reading: Reading) -> Result<Documents<'_>, Broken> {
    let json = text.strip_prefix(MARK).unwrap_or(text);
    let offset = text.len() - json.len();
    let source = match json.trim_start().starts_with(['{', '[']) {
        true => match parts(json, offset, reading.splits_lists) {
            Ok(parts) => Some(Source::Json(parts.into_iter(), JsonReader::new(text))),
            Err(error) if reading.must_be_json => {
                let (line, column) = (error.line(), error.column());
                let message = without_position(&error);
                return Err((line, 1, Fault::Syntax { column, message }));
            }
            // It may be YAML that begins with a brace.
            Err(_) => None,
        },
        false => None,
    };
    let (source, reading) = match source {
        Some(source) => (source, reading),
        None => {
            let mut parts = yaml_parts(text)?;
            let splits_lists = reading.splits_lists && find_lists(text, &mut parts);
            (Source::Yaml(parts.into_iter(), None), Reading { splits_lists, ..reading })
        }
    };
    Ok(Documents { text, source, reading, number: 0 })
}

/// A part of a YAML text.
struct YamlPart {
    range: Range<usize>,
    /// The line breaks before it.
    lines: usize,
    /// The lists whose items stand for them, by the lines where they begin.
    lists: Vec<(usize, ObjectList)>,
}

/// Finds the lists of all parts. Says whether their items can stand for them.
fn find_lists(text: &str, parts: &mut [YamlPart]) -> bool {
    let found = parts.iter().map(|part| lists(text, part.range.clone(), part.lines));
    let Some(found) = found.collect::<Option<Vec<_>>>() else { return false };
    for (part, lists) in parts.iter_mut().zip(found) {
        part.lists = lists;
    }
    true
}

/// A YAML text in the parts between byte order marks: YAML allows one before each document, and
/// its parser before the first.
fn yaml_parts(text: &str) -> Result<Vec<YamlPart>, Broken> {
    let mut lone = text.match_indices('\r').map(|(place, _)| place);
    if let Some(place) = lone.find(|place| !text[place + 1..].starts_with('\n')) {
        return Err((LineCounter::new(text).line_of(place), 1, Fault::CarriageReturn));
    }
    let mut lines = LineCounter::new(text);
    let mut part = |range: Range<usize>| YamlPart {
        lines: lines.line_of(range.start) - 1,
        range,
        lists: Vec::new(),
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for (place, _) in text.match_indices("\n\u{feff}") {
        parts.push(part(start..place + 1));
        start = place + 1 + MARK.len_utf8();
    }
    parts.push(part(start..text.len()));
    Ok(parts)
}

/// The documents of a text.
pub(crate) struct Documents<'t> {
    text: &'t str,
    source: Source<'t>,
    reading: Reading,
    /// The number of the last document.
    number: usize,
}

enum Source<'t> {
    Json(vec::IntoIter<JsonPart>, JsonReader<'t>),
    Yaml(vec::IntoIter<YamlPart>, Option<Box<Part<'t>>>),
}

impl<'t> Documents<'t> {
    /// Whether the text is JSON, where keys need quotes.
    pub(crate) const fn is_json(&self) -> bool {
        matches!(self.source, Source::Json(..))
    }

    /// How the text is read: its lists are whole if one has an alias.
    pub(crate) const fn reading(&self) -> Reading {
        self.reading
    }
}

impl<'t> Iterator for Documents<'t> {
    type Item = Result<Document<'t>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let (parts, open) = match &mut self.source {
            Source::Json(parts, reader) => {
                let JsonPart { range, document: number, of_list } = parts.next()?;
                let syntax =
                    |line, column, message| (line, number, Fault::Syntax { column, message });
                let root = match reader.read(range.clone()) {
                    Ok(Some(root)) => root,
                    Ok(None) => {
                        let line = reader.line_of(range.start);
                        return Some(Err(syntax(line, 1, "nested too deeply".to_owned())));
                    }
                    Err(error) => {
                        let line = reader.line_of(range.start) + error.line() - 1;
                        return Some(Err(syntax(line, error.column(), without_position(&error))));
                    }
                };
                let line = root.line;
                let comments = Vec::new();
                return Some(Ok(Document { number, line, root, comments, of_list }));
            }
            Source::Yaml(parts, open) => (parts, open),
        };
        loop {
            let mut part = match open.take() {
                Some(part) => part,
                None => {
                    let YamlPart { range, lines, lists } = parts.next()?;
                    Box::new(Part::new(self.text, range, lines, lists))
                }
            };
            match part.document() {
                Ok(Some(Parsed { line, root, comments, is_first, of_list, .. })) => {
                    // Behind a separator at its end, the document is that of the next part.
                    let is_next = part.is_done() && parts.len() > 0 && root.start == root.end;
                    *open = Some(part);
                    if !is_next {
                        self.number += usize::from(is_first);
                        let number = self.number;
                        return Some(Ok(Document { number, line, root, comments, of_list }));
                    }
                }
                Ok(None) => {}
                Err((line, fault)) => {
                    *parts = Vec::new().into_iter();
                    return Some(Err((line, self.number + 1, fault)));
                }
            }
        }
    }
}
