//! Changes the data of a text, and only the bytes that must change.
//!
//! Walks the tree of a document and the wanted data side by side. Each difference becomes an edit: a
//! new entry after the last one, removed lines, a new scalar. All bytes between the edits stay.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{
    emit::{Emitter, Order},
    tree::{Document, Node, NodeKind, Stream, after_colon},
    value::{Anchors, Data, is_merge, key_name, merge, scalar, value_of},
};

/// A part of the text that changes its form, although its data is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Loss {
    /// An alias now differs from its anchor.
    #[error("line {line}: {alias} is written out, as it differs from its anchor now")]
    Alias {
        /// The line.
        line: usize,
        /// The alias.
        alias: String,
    },
    /// A merge key brings an entry that is removed.
    #[error("line {line}: << is written out, as one of its keys is removed")]
    Merge {
        /// The line.
        line: usize,
    },
    /// A comment is inside of a removed or replaced part.
    #[error("line {line}: a comment is lost")]
    Comment {
        /// The line.
        line: usize,
    },
}

/// A replacement of a part of the text.
#[derive(Debug)]
pub(crate) struct Edit {
    range: Range<usize>,
    text: String,
}

/// The text with all edits made.
pub(crate) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    // Stable: at one place, an inner mapping's entries come before those of the outer one.
    edits.sort_by_key(|edit| edit.range.start);
    let mut result = String::with_capacity(text.len() + 256);
    let mut done = 0;
    for edit in edits {
        let start = edit.range.start.max(done);
        result.push_str(&text[done..start]);
        result.push_str(&edit.text);
        done = edit.range.end.max(start);
    }
    result.push_str(&text[done..]);
    result
}

/// The line break that a text uses.
fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(place) if text[..place].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The edits that give `document` the data `wanted`.
pub(crate) fn edits(
    text: &str,
    stream: &Stream<'_>,
    document: &Document<'_>,
    data: &Data,
    wanted: &Value,
) -> (Vec<Edit>, Vec<Loss>) {
    let order = Order::of(&document.root);
    let mut splicer = Splicer::new(text, stream, &order);
    splicer.anchors.clone_from(&data.anchors);
    let root = Slot { at: document.root.start, column: 0, is_flow: false, is_entry: false };
    splicer.visit(&document.root, &root, wanted);
    let Splicer { edits, mut losses, .. } = splicer;
    losses.extend(lost_comments(text, stream, &edits));
    (edits, losses)
}

fn lost_comments(text: &str, stream: &Stream<'_>, edits: &[Edit]) -> Vec<Loss> {
    let is_lost = |comment: &&Range<usize>| {
        edits
            .iter()
            .any(|Edit { range, .. }| range.start <= comment.start && comment.end <= range.end)
    };
    let line = |comment: &Range<usize>| 1 + text[..comment.start].matches('\n').count();
    let lost = stream.comments.iter().filter(is_lost);
    lost.map(|comment| Loss::Comment { line: line(comment) }).collect()
}

/// The position of a value.
struct Slot {
    /// Behind the colon, dash or properties before it.
    at: usize,
    /// The column of the collection that it is in.
    column: usize,
    /// Whether that collection has brackets.
    is_flow: bool,
    /// Whether it is the value of a mapping, not an item of a list.
    is_entry: bool,
}

type MappingEntry<'t> = (Node<'t>, Node<'t>);

struct Splicer<'t, 'o, 'n> {
    text: &'t str,
    is_json: bool,
    newline: &'static str,
    order: &'o Order<'n, 't>,
    /// The value of each anchor: after the edits, once the walk has visited it. An alias comes after
    /// its anchor.
    anchors: Anchors,
    edits: Vec<Edit>,
    losses: Vec<Loss>,
}

impl<'t, 'o, 'n> Splicer<'t, 'o, 'n> {
    fn new(text: &'t str, stream: &Stream<'_>, order: &'o Order<'n, 't>) -> Self {
        Self {
            text,
            is_json: stream.is_json,
            newline: newline(text),
            order,
            anchors: Anchors::new(),
            edits: Vec::new(),
            losses: Vec::new(),
        }
    }

    fn emitter(&self, is_compact: bool) -> Emitter<'o, 'n, 't> {
        Emitter { order: self.order, is_json: self.is_json, is_compact, newline: self.newline }
    }

    fn edit(&mut self, range: Range<usize>, text: impl Into<String>) {
        let text = text.into();
        self.edits.push(Edit { range, text });
    }

    fn visit(&mut self, node: &'n Node<'t>, slot: &Slot, want: &Value) {
        match (&node.kind, want) {
            (NodeKind::Scalar { text, plain, tag }, _) => {
                if scalar(text, *plain, tag.as_deref()) != *want {
                    self.replace(node, slot, want);
                }
            }
            (NodeKind::Alias(anchor), _) => {
                if self.anchors.get(anchor) != Some(want) {
                    self.losses.push(Loss::Alias {
                        line: node.line,
                        alias: self.text[node.start..node.end].to_owned(),
                    });
                    self.replace(node, slot, want);
                }
            }
            (NodeKind::Sequence { items, flow }, Value::Array(wants))
                if items.len() == wants.len() =>
            {
                for (item, want) in items.iter().zip(wants) {
                    let slot = Slot {
                        at: item.properties.unwrap_or(item.start),
                        column: node.column,
                        is_flow: *flow,
                        is_entry: false,
                    };
                    self.visit(item, &slot, want);
                }
            }
            (NodeKind::Mapping { entries, flow }, Value::Object(map)) => {
                self.mapping(node, entries, *flow, slot, map);
            }
            _ => self.replace(node, slot, want),
        }
        if node.anchor != 0 {
            self.anchors.insert(node.anchor, want.clone());
        }
    }

    fn mapping(
        &mut self,
        node: &'n Node<'t>,
        entries: &'n [MappingEntry<'t>],
        is_flow: bool,
        slot: &Slot,
        want: &Map<String, Value>,
    ) {
        let own = |name: &str| {
            entries.iter().any(|(key, _)| key_name(key).is_some_and(|key| key == name))
        };
        let mut merged = Map::new();
        for (_, source) in entries.iter().filter(|(key, _)| is_merge(key)) {
            // That it can be merged has been seen when the document was read.
            let _ = merge(&mut merged, value_of(source, &self.anchors));
        }
        let stays = |key: &Node<'_>, unmerge: bool| {
            if is_merge(key) {
                !unmerge
            } else {
                key_name(key).is_some_and(|name| want.contains_key(&*name))
            }
        };
        let unmerge = merged.keys().any(|key| !want.contains_key(key));
        let new: Vec<_> = want
            .iter()
            .filter(|(key, value)| !own(key) && (unmerge || merged.get(*key) != Some(value)))
            .collect();
        let last = entries.iter().rfind(|(key, _)| stays(key, unmerge));
        let Some(last) = last else {
            match (is_flow, new.is_empty(), entries.last()) {
                (_, true, None) => {}
                (true, true, Some((_, value))) => {
                    let rest = self.text[value.end..].trim_start();
                    let end = if rest.starts_with(',') {
                        self.text.len() - rest.len() + 1
                    } else {
                        value.end
                    };
                    self.edit(node.start + 1..end, "");
                }
                (true, false, None) => self.first_in_brackets(node, &new),
                _ => self.replace(node, slot, &Value::Object(want.clone())),
            }
            return;
        };
        if unmerge {
            self.losses.push(Loss::Merge { line: node.line });
        }
        for (place, (key, value)) in entries.iter().enumerate() {
            if !stays(key, unmerge) {
                let next = entries[place + 1..].iter().find(|(key, _)| stays(key, unmerge));
                let before = place.checked_sub(1).map(|place| &entries[place]);
                self.remove((key, value), before, next, is_flow);
            } else if !is_merge(key)
                && let Some(want) = key_name(key).and_then(|name| want.get(&*name))
            {
                let slot = Slot {
                    at: value.properties.unwrap_or_else(|| after_colon(self.text, key.end)),
                    column: node.column,
                    is_flow,
                    is_entry: true,
                };
                self.visit(value, &slot, want);
            }
        }
        for (key, value) in new {
            if is_flow {
                self.add_in_brackets(node, last, key, value);
            } else {
                let emitter = self.emitter(false);
                let entry = emitter.entry(key, value, None, node.column);
                let at = self.line_end(last.1.end);
                self.edit(at..at, format!("{}{entry}", emitter.line(node.column)));
            }
        }
    }

    /// The first entries of `{}`.
    fn first_in_brackets(&mut self, node: &Node<'t>, new: &[(&String, &Value)]) {
        let map = new.iter().map(|(key, value)| ((*key).clone(), (*value).clone()));
        let text = self.emitter(false).flow(&Value::Object(map.collect()), None);
        let at = node.start + 1;
        self.edit(at..at, &text[1..text.len() - 1]);
    }

    /// A further entry of `{a: b}`, in the style of the last one.
    fn add_in_brackets(
        &mut self,
        node: &Node<'t>,
        last: &MappingEntry<'t>,
        key: &str,
        value: &Value,
    ) {
        let prefix = self.indentation(last.0.start);
        let is_compact = self.is_json && self.text[last.0.end..].starts_with(':') && {
            !self.text[last.0.end + 1..].starts_with(char::is_whitespace)
        };
        let emitter = self.emitter(is_compact);
        let map = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
        let entry = emitter.flow(&map, None);
        let entry = &entry[1..entry.len() - 1];
        let text = match prefix {
            Some(prefix) if self.is_json => {
                let line = self.line_start(node.end);
                let outer = self.text[line..].len() - self.text[line..].trim_start().len();
                let unit = prefix.get(outer..).filter(|unit| !unit.is_empty());
                let value = emitter.pretty(value, None, prefix, unit.unwrap_or("  "));
                let key = emitter.flow(&Value::from(key), None);
                format!(",{}{prefix}{key}: {value}", self.newline)
            }
            Some(prefix) => format!(",{}{prefix}{entry}", self.newline),
            None if is_compact => format!(",{entry}"),
            None => format!(", {entry}"),
        };
        self.edit(last.1.end..last.1.end, text);
    }

    fn remove(
        &mut self,
        (key, value): (&Node<'t>, &Node<'t>),
        before: Option<&MappingEntry<'t>>,
        next: Option<&MappingEntry<'t>>,
        is_flow: bool,
    ) {
        if is_flow && let Some((_, before)) = before {
            return self.edit(before.end..value.end, "");
        }
        if (is_flow || self.indentation(key.start).is_none())
            && let Some((next, _)) = next
        {
            return self.edit(key.start..next.start, "");
        }
        // With the line break in front, as the last line of a text may have none behind.
        let start = self.line_start(key.start);
        let end = self.line_end(value.end);
        match self.text[..start].strip_suffix('\n') {
            Some(before) => {
                let before = before.strip_suffix('\r').unwrap_or(before);
                self.edit(before.len()..end, "");
            }
            None => self.edit(start..self.text.len().min(end + self.newline.len()), ""),
        }
    }

    /// Replaces a value.
    fn replace(&mut self, node: &'n Node<'t>, slot: &Slot, want: &Value) {
        let emitter = self.emitter(false);
        let space = |at: usize| if self.text[..at].ends_with([' ', '\n']) { "" } else { " " };
        if slot.is_flow || self.is_json {
            let text = emitter.flow(want, Some(node));
            return self.edit(
                node.start..node.end,
                format!("{}{text}", if node.start == node.end { " " } else { "" }),
            );
        }
        let is_inline = emitter.is_inline(want);
        if !slot.is_entry {
            let column = if node.start == node.end { slot.column + 2 } else { node.column };
            let text = emitter.block(want, Some(node), column);
            return self.edit(node.start..node.end, format!("{}{text}", space(node.start)));
        }
        let below = slot.column + 2;
        if is_inline {
            let text = emitter.scalar(want, below);
            let is_single = !node.is_block() && node.start > slot.at && {
                !self.text[slot.at..node.start].contains('\n')
            };
            if is_single {
                self.edit(node.start..node.end, text);
            } else {
                self.edit(slot.at..node.end, format!(" {text}"));
            }
        } else {
            let text = emitter.block(want, Some(node), below);
            let text = format!("{}{text}", emitter.line(below));
            if node.is_block() {
                self.edit(slot.at..node.end, text);
            } else {
                // Behind a comment that follows on the line.
                let end = self.line_end(node.end);
                self.edit(slot.at..node.end, "");
                self.edit(end..end, text);
            }
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |place| place + 1)
    }

    /// The position before the line break, or the end of the text.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let line = rest.split('\n').next().unwrap_or(rest);
        at + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The white space before `at`, if there is nothing else before it on the line.
    fn indentation(&self, at: usize) -> Option<&'t str> {
        let start = self.line_start(at);
        let prefix = &self.text[start..at];
        (start > 0 && prefix.bytes().all(|b| b == b' ' || b == b'\t')).then_some(prefix)
    }
}
