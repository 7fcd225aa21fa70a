//! Changes the data of a text, and only the bytes that must change.
//!
//! Walks the tree of a document and the wanted data side by side. Each difference becomes an edit: a
//! new entry after the last one, removed lines, a new scalar. All bytes between the edits stay.

use std::{collections::HashMap, ops::Range};

use serde_json::{Map, Value};

use super::{
    documents::Document,
    emit::{Emitter, Order, Style},
    tree::{Node, NodeKind, after_colon},
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

/// A text in which edits are made, from its beginning to its end.
pub(crate) struct Rewriter<'t> {
    text: &'t str,
    done: usize,
    result: String,
}

impl<'t> Rewriter<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, done: 0, result: String::new() }
    }

    /// Makes the edits of a document.
    pub(crate) fn apply(&mut self, mut edits: Vec<Edit>) {
        // Stable: at one place, an inner mapping's entries come before those of the outer one.
        edits.sort_by_key(|edit| edit.range.start);
        for edit in edits {
            let start = edit.range.start.max(self.done);
            self.push(start);
            self.result.push_str(&edit.text);
            self.done = edit.range.end.max(start);
        }
    }

    /// The text with all edits made.
    pub(crate) fn finish(mut self) -> String {
        self.push(self.text.len());
        self.result
    }

    /// Copies the text up to `end`.
    fn push(&mut self, end: usize) {
        let part = &self.text[self.done..end];
        if self.result.capacity() - self.result.len() < part.len() {
            // A doubling would take twice what is needed.
            self.result.reserve_exact(part.len() + self.text.len() / 8);
        }
        self.result.push_str(part);
        self.done = end;
    }
}

/// The edits that give `document` the data `wanted`, in which its anchors still have their old
/// values.
pub(crate) fn edits(
    text: &str,
    style: Style,
    document: &Document<'_>,
    wanted: Data,
) -> (Vec<Edit>, Vec<Loss>) {
    let order = Order::of(&document.root);
    let Data { value: wanted, anchors, .. } = wanted;
    let (edits, losses) = (Vec::new(), Vec::new());
    let mut splicer = Splicer { text, style, order: &order, anchors, edits, losses };
    let root = Slot { at: document.root.start, column: 0, is_flow: false, is_entry: false };
    splicer.visit(&document.root, &root, &wanted);
    let Splicer { edits, mut losses, .. } = splicer;
    losses.extend(lost_comments(text, document, &edits));
    (edits, losses)
}

fn lost_comments(text: &str, document: &Document<'_>, edits: &[Edit]) -> Vec<Loss> {
    let is_lost = |comment: &&Range<usize>| {
        edits
            .iter()
            .any(|Edit { range, .. }| range.start <= comment.start && comment.end <= range.end)
    };
    let line = |comment: &Range<usize>| 1 + text[..comment.start].matches('\n').count();
    let lost = document.comments.iter().filter(is_lost);
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
    style: Style,
    order: &'o Order<'n, 't>,
    /// The value of each anchor: after the edits, once the walk has visited it. An alias comes after
    /// its anchor.
    anchors: Anchors,
    edits: Vec<Edit>,
    losses: Vec<Loss>,
}

impl<'t, 'o, 'n> Splicer<'t, 'o, 'n> {
    fn emitter(&self) -> Emitter<'o, 'n, 't> {
        Emitter { order: self.order, style: self.style }
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
        // Of a key that comes again, the last one counts.
        let places: HashMap<_, _> = entries
            .iter()
            .enumerate()
            .filter_map(|(place, (key, _))| Some((key_name(key)?, place)))
            .collect();
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
            .filter(|(key, value)| {
                !places.contains_key(key.as_str()) && (unmerge || merged.get(*key) != Some(value))
            })
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
        let last_merge = entries.iter().rposition(|(key, _)| is_merge(key)).unwrap_or(0);
        // Nor does one that a merge behind it replaces.
        let counts = |place: usize, name: &str| {
            places.get(name) == Some(&place)
                && (place >= last_merge || merged.get(name) != want.get(name))
        };
        for (place, (key, value)) in entries.iter().enumerate() {
            if !stays(key, unmerge) {
                let next = entries[place + 1..].iter().find(|(key, _)| stays(key, unmerge));
                let before = place.checked_sub(1).map(|place| &entries[place]);
                self.remove((key, value), before, next, is_flow);
            } else if !is_merge(key)
                && let Some(name) = key_name(key).filter(|name| counts(place, name))
                && let Some(want) = want.get(&*name)
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
            let next = before(key).and_then(|next| places.get(next));
            match (next, is_flow) {
                (Some(next), _) => self.add_before(node, &entries[*next].0, is_flow, key, value),
                (None, true) => self.add_in_brackets(node, last, key, value),
                (None, false) => {
                    let emitter = self.emitter();
                    let entry = emitter.entry(key, value, None, node.column);
                    let at = self.line_end(last.1.end);
                    self.edit(at..at, format!("{}{entry}", emitter.line(node.column)));
                }
            }
        }
    }

    /// A new entry in front of another one.
    fn add_before(
        &mut self,
        node: &Node<'t>,
        next: &Node<'t>,
        is_flow: bool,
        key: &str,
        value: &Value,
    ) {
        let text = if is_flow {
            let prefix = self.indentation(next.start);
            let entry = self.entry_in_brackets(node, next, prefix, key, value);
            match prefix {
                Some(prefix) => format!("{entry},{}{prefix}", self.style.newline),
                None if self.is_compact(next) => format!("{entry},"),
                None => format!("{entry}, "),
            }
        } else {
            let emitter = self.emitter();
            let entry = emitter.entry(key, value, None, node.column);
            format!("{entry}{}", emitter.line(node.column))
        };
        self.edit(next.start..next.start, text);
    }

    /// The first entries of `{}`.
    fn first_in_brackets(&mut self, node: &Node<'t>, new: &[(&String, &Value)]) {
        let map = new.iter().map(|(key, value)| ((*key).clone(), (*value).clone()));
        let text = self.emitter().flow(&Value::Object(map.collect()), None);
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
        let entry = self.entry_in_brackets(node, &last.0, prefix, key, value);
        let end = last.1.end;
        let Some(prefix) = prefix else {
            let comma = if self.is_compact(&last.0) { "," } else { ", " };
            return self.edit(end..end, format!("{comma}{entry}"));
        };
        let line = format!("{}{prefix}{entry}", self.style.newline);
        // A comment stays on its line.
        let line_end = self.line_end(end);
        let rest = self.text[end..line_end].trim_start();
        if let Some(comment) = rest.strip_prefix(',')
            && is_comment(comment)
        {
            self.edit(line_end..line_end, format!("{line},"));
        } else if !rest.is_empty() && is_comment(rest) {
            self.edit(end..end, ",");
            self.edit(line_end..line_end, line);
        } else {
            self.edit(end..end, format!(",{line}"));
        }
    }

    /// `key: value` for a mapping in brackets, in the style of one of its keys. With `prefix` the
    /// key has a line of its own.
    fn entry_in_brackets(
        &self,
        node: &Node<'t>,
        like: &Node<'t>,
        prefix: Option<&str>,
        key: &str,
        value: &Value,
    ) -> String {
        let mut emitter = self.emitter();
        if let Some(prefix) = prefix.filter(|_| self.style.is_json) {
            let outer = self.indentation(node.end - 1).unwrap_or_default();
            let unit = prefix.strip_prefix(outer).filter(|unit| !unit.is_empty());
            let value = emitter.pretty(value, None, prefix, unit.unwrap_or("  "));
            return format!("{}: {value}", emitter.flow(&Value::from(key), None));
        }
        emitter.style.is_json |= self.text[like.start..].starts_with('"');
        let map = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
        let entry =
            if self.is_compact(like) { emitter.compact(&map) } else { emitter.flow(&map, None) };
        entry[1..entry.len() - 1].to_owned()
    }

    /// Whether no space follows the colon behind `key`, as in minified JSON.
    fn is_compact(&self, key: &Node<'t>) -> bool {
        let rest = &self.text[key.end..];
        self.style.is_json && rest.starts_with(':') && !rest[1..].starts_with(char::is_whitespace)
    }

    fn remove(
        &mut self,
        (key, value): (&Node<'t>, &Node<'t>),
        before: Option<&MappingEntry<'t>>,
        next: Option<&MappingEntry<'t>>,
        is_flow: bool,
    ) {
        if is_flow && let Some((_, before)) = before {
            return self.remove_in_brackets(before.end, key.start, value.end);
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
            None => self.edit(start..self.text.len().min(end + self.style.newline.len()), ""),
        }
    }

    /// Removes the entry from `start` to `end`, behind another one that ends at `before`.
    fn remove_in_brackets(&mut self, before: usize, start: usize, end: usize) {
        let between = &self.text[before..start];
        let commented = between.split_once('#').map(|(comma, _)| comma.trim_end());
        let (Some(comma @ ("," | "")), Some(_)) = (commented, self.indentation(start)) else {
            return self.edit(before..end, "");
        };
        // A comment stays: only the lines of the entry go.
        let line = self.line_start(start).saturating_sub(self.style.newline.len());
        if self.text[end..].starts_with(',') {
            return self.edit(line..end + 1, "");
        }
        self.edit(before..before + comma.len(), "");
        self.edit(line..end, "");
    }

    /// Replaces a value.
    fn replace(&mut self, node: &'n Node<'t>, slot: &Slot, want: &Value) {
        let emitter = self.emitter();
        let space = |at: usize| if self.text[..at].ends_with([' ', '\n']) { "" } else { " " };
        if slot.is_flow || self.style.is_json {
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
            // A comment stays on the first line.
            let (first, rest) = text.split_at(text.find(self.style.newline).unwrap_or(text.len()));
            self.edit(node.start..node.end, format!("{}{first}", space(node.start)));
            let end = self.line_end(node.end);
            return self.edit(end..end, rest);
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

    /// The position behind the line break before `at`.
    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |place| place + 1)
    }

    /// The position before the line break, or the end of the text.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let line = rest.split('\n').next().unwrap_or(rest);
        at + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The white space before `at`, if there is nothing else before it on the line. Looks at nothing
    /// else of the line, which may be long.
    fn indentation(&self, at: usize) -> Option<&'t str> {
        let before = self.text[..at].trim_end_matches([' ', '\t']);
        before.ends_with('\n').then(|| &self.text[before.len()..at])
    }
}

/// The entry in front of which `key` belongs, in the order in which objects are written.
fn before(key: &str) -> Option<&'static str> {
    (key == "metadata").then_some("spec")
}

/// Whether the rest of a line is empty or a comment.
fn is_comment(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}
