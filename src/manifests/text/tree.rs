//! A stream of documents, with the position of every value in the text.

use std::{borrow::Cow, ops::Range};

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StructureStyle};
use serde::de::IgnoredAny;

use super::super::error::{Fault, without_position};

/// A document.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    /// The line where it begins, from 1.
    pub(crate) line: usize,
    /// Its value: null if it is empty.
    pub(crate) root: Node<'t>,
}

/// A value in a document.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(super) kind: NodeKind<'t>,
    /// Its first byte: after an anchor and a tag.
    pub(super) start: usize,
    /// Behind its last byte, without the comments and empty lines that follow.
    pub(super) end: usize,
    /// Behind its anchor and tag, if it has any.
    pub(super) properties: Option<usize>,
    /// The anchor's number, or 0.
    pub(super) anchor: usize,
    /// The line, from 1.
    pub(super) line: usize,
    /// The column, from 0.
    pub(super) column: usize,
}

#[derive(Debug)]
pub(super) enum NodeKind<'t> {
    Scalar { text: Cow<'t, str>, plain: bool, tag: Option<String> },
    Sequence { items: Vec<Node<'t>>, flow: bool },
    Mapping { entries: Vec<(Node<'t>, Node<'t>)>, flow: bool },
    Alias(usize),
}

impl Node<'_> {
    /// Whether it is written without brackets.
    pub(super) fn is_block(&self) -> bool {
        matches!(
            self.kind,
            NodeKind::Sequence { flow: false, .. } | NodeKind::Mapping { flow: false, .. }
        )
    }
}

/// The content of a text.
#[derive(Debug)]
pub(crate) struct Stream<'t> {
    pub(crate) documents: Vec<Document<'t>>,
    /// The ranges of its comments.
    pub(super) comments: Vec<Range<usize>>,
    /// Whether it is JSON, where keys need quotes.
    pub(crate) is_json: bool,
}

/// A syntax error: the line, the number of the document, and the fault.
pub(crate) type Broken = (usize, usize, Fault);

/// Reads all documents of a text. With `is_json` the text must be JSON; other texts may be.
pub(crate) fn read(text: &str, is_json: bool) -> Result<Stream<'_>, Broken> {
    let mut stream = Stream { documents: Vec::new(), comments: Vec::new(), is_json: true };
    match json_ranges(text) {
        Some(Ok(ranges)) => {
            // JSON is YAML, but for the limit on the length of keys and for documents that
            // follow each other without a separator.
            for range in ranges {
                read_part(text, range, &mut stream)?;
            }
            return Ok(stream);
        }
        Some(Err(error)) if is_json => {
            let fault = Fault::Syntax { column: error.column(), message: without_position(&error) };
            return Err((error.line(), 1, fault));
        }
        _ => {}
    }
    stream.is_json = false;
    read_part(text, 0..text.len(), &mut stream)?;
    Ok(stream)
}

/// The documents of a JSON text, if it looks like one.
fn json_ranges(text: &str) -> Option<Result<Vec<Range<usize>>, serde_json::Error>> {
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - json.len();
    if !json.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<IgnoredAny>();
    let mut ranges = Vec::new();
    let mut start = offset;
    while let Some(value) = values.next() {
        if let Err(error) = value {
            return Some(Err(error));
        }
        let end = offset + values.byte_offset();
        ranges.push(start..end);
        start = end;
    }
    Some(Ok(ranges))
}

fn read_part<'t>(text: &'t str, part: Range<usize>, stream: &mut Stream<'t>) -> Result<(), Broken> {
    let mut options = Options::default();
    // Neither is a limit to kubectl, and our memory is bounded by the input.
    options.max_buffered_comment_events = usize::MAX;
    if stream.is_json {
        options.simple_key_max_lookahead = usize::MAX;
    }
    options.emit_anchor_events = true;
    let lines = text[..part.start].matches('\n').count();
    let offset = part.start;
    let mut builder = Builder { text, open: Vec::new(), root: None };
    let mut started = 1 + lines;
    let mut events = Parser::new_from_str_with_options(&text[part], options).peekable();
    while let Some(event) = events.next() {
        let number = stream.documents.len() + 1;
        let (event, span) = event.map_err(|error| syntax(&error, lines, number))?;
        let range = span.byte_range().unwrap_or_default();
        let range = range.start + offset..range.end + offset;
        // An anchor's event follows that of its node.
        let anchor = events.next_if(|next| matches!(next, Ok((Event::Anchor(..), _))));
        let anchor = anchor.and_then(|anchor| anchor.ok()?.1.byte_range());
        let tag = span.tag_span().and_then(|tag| tag.byte_range());
        let properties = anchor.into_iter().chain(tag).map(|range| range.end).max();
        let place = Place {
            properties: properties.map(|end| end + offset),
            range,
            line: span.start.line() + lines,
            column: span.start.col(),
        };
        match event {
            Event::DocumentStart(..) => started = place.line,
            Event::DocumentEnd => {
                if let Some(root) = builder.root.take() {
                    stream.documents.push(Document { line: started, root });
                }
            }
            Event::Comment(..) => stream.comments.push(place.range),
            event => builder.take(event, place),
        }
    }
    Ok(())
}

fn syntax(error: &ScanError, lines: usize, document: usize) -> Broken {
    let mark = error.marker();
    let fault = Fault::Syntax { column: mark.col() + 1, message: error.info() };
    (mark.line() + lines, document, fault)
}

struct Place {
    range: Range<usize>,
    properties: Option<usize>,
    line: usize,
    column: usize,
}

/// Builds the tree from events. The parser limits the nesting to 255, so walking the tree may
/// recurse.
struct Builder<'t> {
    text: &'t str,
    /// The open collections, and in a mapping the key that waits for its value.
    open: Vec<(Node<'t>, Option<Node<'t>>)>,
    root: Option<Node<'t>>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, place: Place) {
        let flow = |style| style == StructureStyle::Flow;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| tag.core_suffix().unwrap_or_default().to_owned());
                let end = scalar_end(self.text, &place.range, &text, style);
                let plain = style == ScalarStyle::Plain;
                // The parser calls an absent value `~`.
                let text = if plain && place.range.is_empty() { Cow::Borrowed("") } else { text };
                let mut node = node(NodeKind::Scalar { text, plain, tag }, anchor, place);
                node.end = end;
                if let Some(properties) = node.properties {
                    node.start = node.start.max(properties);
                    node.end = node.end.max(properties);
                }
                self.close(node);
            }
            Event::Alias(anchor) => self.close(node(NodeKind::Alias(anchor), 0, place)),
            Event::SequenceStart(style, anchor, _) => {
                let kind = NodeKind::Sequence { items: Vec::new(), flow: flow(style) };
                self.open.push((node(kind, anchor, place), None));
            }
            Event::MappingStart(style, anchor, _) => {
                let kind = NodeKind::Mapping { entries: Vec::new(), flow: flow(style) };
                self.open.push((node(kind, anchor, place), None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((mut node, _)) = self.open.pop() {
                    node.end = match &node.kind {
                        NodeKind::Sequence { items, flow: false } => {
                            items.last().map(|item| item.end)
                        }
                        NodeKind::Mapping { entries, flow: false } => {
                            entries.last().map(|(_, value)| value.end)
                        }
                        _ => Some(place.range.end),
                    }
                    .unwrap_or(place.range.end);
                    self.close(node);
                }
            }
            _ => {}
        }
    }

    /// Adds a complete node to its parent.
    fn close(&mut self, mut node: Node<'t>) {
        let Some((parent, pending)) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut parent.kind {
            NodeKind::Sequence { items, .. } => items.push(node),
            NodeKind::Mapping { entries, .. } => match pending.take() {
                None => *pending = Some(node),
                Some(key) => {
                    if node.start == node.end && node.properties.is_none() {
                        node.end = after_colon(self.text, key.end);
                        node.start = node.end;
                    }
                    entries.push((key, node));
                }
            },
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => {}
        }
    }
}

fn node<'t>(kind: NodeKind<'t>, anchor: usize, place: Place) -> Node<'t> {
    Node {
        kind,
        start: place.range.start,
        end: place.range.end,
        properties: place.properties,
        anchor,
        line: place.line,
        column: place.column,
    }
}

/// The position behind the last byte of a scalar. Empty lines at the end belong to `|+`, and not to
/// other block scalars.
fn scalar_end(text: &str, range: &Range<usize>, value: &str, style: ScalarStyle) -> usize {
    if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
        return range.end;
    }
    let slice = &text[range.clone()];
    let slice = if value.ends_with("\n\n") || value == "\n" {
        // The range goes on to the indentation of what follows.
        let lines = slice.trim_end_matches([' ', '\t']);
        let lines = lines.strip_suffix('\n').unwrap_or(lines);
        lines.strip_suffix('\r').unwrap_or(lines)
    } else {
        slice.trim_end()
    };
    range.start + slice.len()
}

/// The position behind the colon after a key, if there is one.
pub(super) fn after_colon(text: &str, key_end: usize) -> usize {
    let rest = &text[key_end..];
    let trimmed = rest.trim_start_matches([' ', '\t']);
    if trimmed.starts_with(':') { key_end + rest.len() - trimmed.len() + 1 } else { key_end }
}
