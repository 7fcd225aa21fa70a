//! The values of a document, with the position of each in the text, and their reader for YAML.

use std::{borrow::Cow, iter::Peekable, mem::take, ops::Range, vec};

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use super::super::error::Fault;
use super::object_list::ObjectList;

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
    Scalar { text: Cow<'t, str>, plain: bool, tag: Option<Box<str>> },
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

impl<'t> Node<'t> {
    /// A value of JSON.
    pub(super) fn of_json(kind: NodeKind<'t>, range: Range<usize>, line: usize) -> Self {
        node(kind, 0, Place { range, properties: None, line, column: 0 })
    }
}

type Events<'t> = Box<dyn Iterator<Item = Result<(Event<'t>, Span), ScanError>> + 't>;

/// A document as it is parsed.
#[derive(Debug)]
pub(super) struct Parsed<'t> {
    /// The line where it begins, from 1.
    pub(super) line: usize,
    pub(super) root: Node<'t>,
    /// The ranges of its comments.
    pub(super) comments: Vec<Range<usize>>,
    /// Whether it has an alias.
    pub(super) has_alias: bool,
    /// Whether it is the first item of its list, or no item.
    pub(super) is_first: bool,
    /// For an item of a list such as a PodList: the apiVersion and kind that it need not say.
    pub(super) of_list: Option<(String, String)>,
}

/// A part of a YAML text.
pub(super) struct Part<'t> {
    events: Peekable<Events<'t>>,
    offset: usize,
    /// The line breaks before it.
    lines: usize,
    started: usize,
    builder: Builder<'t>,
    comments: Vec<Range<usize>>,
    /// The lists that are still to come, whose items stand for them.
    lists: Peekable<vec::IntoIter<(usize, ObjectList)>>,
    /// The list whose items come.
    list: Option<ObjectList>,
    is_first: bool,
}

impl<'t> Part<'t> {
    /// The part of `text` in `range`, behind so many line breaks. `lists` are the documents of which the
    /// items come one at a time, by the lines where they begin.
    pub(super) fn new(
        text: &'t str,
        range: Range<usize>,
        lines: usize,
        lists: Vec<(usize, ObjectList)>,
    ) -> Self {
        let mut options = Options::default();
        // It is no limit to kubectl, and our memory is bounded by the input.
        options.max_buffered_comment_events = usize::MAX;
        options.emit_anchor_events = true;
        let offset = range.start;
        let events: Events<'t> = Box::new(Parser::new_from_str_with_options(&text[range], options));
        let builder = Builder { text, depth: usize::MAX, ..Builder::default() };
        Self {
            events: events.peekable(),
            offset,
            lines,
            started: lines + 1,
            builder,
            comments: Vec::new(),
            lists: lists.into_iter().peekable(),
            list: None,
            is_first: true,
        }
    }

    /// The same with no more of each document than its fields, and the items of those.
    pub(super) fn outline(text: &'t str, range: Range<usize>, lines: usize) -> Self {
        let mut part = Self::new(text, range, lines, Vec::new());
        part.builder.depth = 2;
        part
    }

    /// The next document, or item.
    pub(super) fn document(&mut self) -> Result<Option<Parsed<'t>>, (usize, Fault)> {
        let (lines, offset) = (self.lines, self.offset);
        while let Some(event) = self.events.next() {
            let (event, span) = event.map_err(|error| syntax(&error, lines))?;
            let range = span.byte_range().unwrap_or_default();
            let range = range.start + offset..range.end + offset;
            // An anchor's event follows that of its node.
            let anchor = self.events.next_if(|next| matches!(next, Ok((Event::Anchor(..), _))));
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
                Event::DocumentStart(..) => {
                    self.started = place.line;
                    self.is_first = true;
                    let list = self.lists.next_if(|(line, _)| *line == place.line);
                    self.list = list.map(|(_, list)| list);
                }
                Event::DocumentEnd => {
                    let has_alias = take(&mut self.builder.has_alias);
                    let comments = take(&mut self.comments);
                    if let (Some(root), None) = (self.builder.root.take(), &self.list) {
                        return Ok(Some(Parsed {
                            line: self.started,
                            root,
                            comments,
                            has_alias,
                            is_first: true,
                            of_list: None,
                        }));
                    }
                }
                Event::Comment(..) => self.comments.push(place.range),
                event => {
                    self.builder.take(event, place);
                    if let Some(list) = &self.list
                        && let Some(root) = self.builder.take_item()
                    {
                        return Ok(Some(Parsed {
                            line: root.line,
                            root,
                            comments: take(&mut self.comments),
                            has_alias: false,
                            is_first: take(&mut self.is_first),
                            of_list: list.of.clone(),
                        }));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether no other document follows.
    pub(super) fn is_done(&mut self) -> bool {
        matches!(self.events.peek(), None | Some(Ok((Event::StreamEnd, _))))
    }
}

fn syntax(error: &ScanError, lines: usize) -> (usize, Fault) {
    let mark = error.marker();
    let fault = Fault::Syntax { column: mark.col() + 1, message: error.info() };
    (mark.line() + lines, fault)
}

struct Place {
    range: Range<usize>,
    properties: Option<usize>,
    line: usize,
    column: usize,
}

/// Builds the tree from events. The parser limits the nesting to 255, so walking the tree may
/// recurse.
#[derive(Default)]
struct Builder<'t> {
    text: &'t str,
    /// How deep the tree becomes: what is below is left out.
    depth: usize,
    /// The open collections, and in a mapping the key that waits for its value.
    open: Vec<(Node<'t>, Option<Node<'t>>)>,
    has_alias: bool,
    root: Option<Node<'t>>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, place: Place) {
        let flow = |style| style == StructureStyle::Flow;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| tag.core_suffix().unwrap_or_default().into());
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
            Event::Alias(anchor) => {
                self.has_alias = true;
                self.close(node(NodeKind::Alias(anchor), 0, place));
            }
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
                    match &mut node.kind {
                        NodeKind::Sequence { items, .. } => items.shrink_to_fit(),
                        NodeKind::Mapping { entries, .. } => entries.shrink_to_fit(),
                        NodeKind::Scalar { .. } | NodeKind::Alias(_) => {}
                    }
                    self.close(node);
                }
            }
            _ => {}
        }
    }

    /// Takes the item of the list at the root that has just been completed. No other field of a list is
    /// a sequence.
    fn take_item(&mut self) -> Option<Node<'t>> {
        let [_, (Node { kind: NodeKind::Sequence { items, .. }, .. }, _)] = &mut self.open[..]
        else {
            return None;
        };
        items.pop()
    }

    /// Adds a complete node to its parent.
    fn close(&mut self, mut node: Node<'t>) {
        let is_left_out = self.open.len() > self.depth;
        let Some((parent, pending)) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        if is_left_out {
            return;
        }
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
