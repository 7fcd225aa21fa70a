//! Writes data as text: new entries, and conversions to another format.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    scalar::{is_plain, quoted},
    tree::{Node, NodeKind},
    value::{is_merge, key_name},
};

/// Lists of scalars up to this length are written in brackets.
const MAX_FLOW: usize = 80;

/// The order of keys in the source text.
#[derive(Default)]
pub(super) struct Order<'n, 't>(HashMap<usize, &'n Node<'t>>);

impl<'n, 't> Order<'n, 't> {
    /// The order in a document.
    pub(super) fn of(root: &'n Node<'t>) -> Self {
        let mut order = Self::default();
        order.collect(root);
        order
    }

    fn collect(&mut self, node: &'n Node<'t>) {
        if node.anchor != 0 {
            self.0.insert(node.anchor, node);
        }
        match &node.kind {
            NodeKind::Sequence { items, .. } => items.iter().for_each(|item| self.collect(item)),
            NodeKind::Mapping { entries, .. } => {
                for (_, value) in entries {
                    self.collect(value);
                }
            }
            NodeKind::Scalar { .. } | NodeKind::Alias(_) => {}
        }
    }

    fn target(&self, node: &'n Node<'t>) -> &'n Node<'t> {
        match &node.kind {
            NodeKind::Alias(anchor) => self.0.get(anchor).copied().unwrap_or(node),
            _ => node,
        }
    }

    /// The entries of `map` in the order of `node`, with the node of each.
    fn entries<'m>(
        &self,
        map: &'m Map<String, Value>,
        node: Option<&'n Node<'t>>,
    ) -> Vec<(&'m str, &'m Value, Option<&'n Node<'t>>)> {
        let mut sources = Vec::new();
        if let Some(node) = node {
            self.sources(node, &mut sources);
        }
        let mut seen = HashSet::new();
        let known = sources.into_iter().filter_map(|(key, source)| {
            let (key, value) = map.get_key_value(&key)?;
            Some((key.as_str(), value, Some(source)))
        });
        let new = map.iter().map(|(key, value)| (key.as_str(), value, None));
        known.chain(new).filter(|(key, ..)| seen.insert(*key)).collect()
    }

    fn sources(&self, node: &'n Node<'t>, into: &mut Vec<(String, &'n Node<'t>)>) {
        match &self.target(node).kind {
            NodeKind::Mapping { entries, .. } => {
                for (key, value) in entries {
                    match key_name(key) {
                        Some(_) if is_merge(key) => self.sources(value, into),
                        Some(name) => into.push((name.into_owned(), value)),
                        None => {}
                    }
                }
            }
            // A list of mappings to merge.
            NodeKind::Sequence { items, .. } => {
                items.iter().for_each(|item| self.sources(item, into));
            }
            _ => {}
        }
    }

    fn item(&self, node: Option<&'n Node<'t>>, place: usize) -> Option<&'n Node<'t>> {
        match &self.target(node?).kind {
            NodeKind::Sequence { items, .. } => items.get(place),
            _ => None,
        }
    }
}

/// How a text is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// As JSON, with all strings quoted.
    pub(crate) is_json: bool,
    /// Its line break.
    pub(crate) newline: &'static str,
}

impl Style {
    /// The style of `text`.
    pub(crate) fn of(text: &str, is_json: bool) -> Self {
        let newline = match text.find('\n') {
            Some(place) if text[..place].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        Self { is_json, newline }
    }
}

/// Writes data.
pub(super) struct Emitter<'o, 'n, 't> {
    pub(super) order: &'o Order<'n, 't>,
    pub(super) style: Style,
}

type Origin<'n, 't> = Option<&'n Node<'t>>;

impl<'n, 't> Emitter<'_, 'n, 't> {
    /// On one line, with brackets. What is plain in the source stays plain.
    pub(super) fn flow(&self, value: &Value, node: Origin<'n, 't>) -> String {
        self.on_one_line(value, node, (", ", ": "))
    }

    /// On one line, without spaces.
    pub(super) fn compact(&self, value: &Value) -> String {
        self.on_one_line(value, None, (",", ":"))
    }

    fn on_one_line(
        &self,
        value: &Value,
        node: Origin<'n, 't>,
        (comma, colon): (&str, &str),
    ) -> String {
        match value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items: Vec<_> = items
                    .map(|(place, item)| {
                        self.on_one_line(item, self.order.item(node, place), (comma, colon))
                    })
                    .collect();
                format!("[{}]", items.join(comma))
            }
            Value::Object(map) => {
                let entries = self.order.entries(map, node).into_iter();
                let entries: Vec<_> = entries
                    .map(|(key, value, node)| {
                        let value = self.on_one_line(value, node, (comma, colon));
                        format!("{}{colon}{value}", self.key(key))
                    })
                    .collect();
                format!("{{{}}}", entries.join(comma))
            }
            Value::String(text) if self.is_plain_in(text, node) => text.clone(),
            Value::String(text) => quoted(text),
            other => other.to_string(),
        }
    }

    /// Whether the source has `text` without quotes, which it then needs nowhere on one line.
    fn is_plain_in(&self, text: &str, node: Origin<'n, 't>) -> bool {
        let source = node.map(|node| &self.order.target(node).kind);
        !self.style.is_json
            && matches!(source, Some(NodeKind::Scalar { text: source, plain: true, tag: None }) if source == text)
            && !text.contains([',', '[', ']', '{', '}', '\n'])
    }

    /// JSON over several lines. `prefix` is the indentation of the line that it begins on.
    pub(super) fn pretty(
        &self,
        value: &Value,
        node: Origin<'n, 't>,
        prefix: &str,
        unit: &str,
    ) -> String {
        let inner = format!("{prefix}{unit}");
        let newline = self.style.newline;
        let wrap = |open: char, lines: Vec<String>, close: char| {
            let lines = lines.join(&format!(",{newline}{inner}"));
            format!("{open}{newline}{inner}{lines}{newline}{prefix}{close}")
        };
        match value {
            Value::Array(items) if !items.is_empty() => {
                let items = items.iter().enumerate();
                let lines = items
                    .map(|(place, item)| {
                        self.pretty(item, self.order.item(node, place), &inner, unit)
                    })
                    .collect();
                wrap('[', lines, ']')
            }
            Value::Object(map) if !map.is_empty() => {
                let entries = self.order.entries(map, node).into_iter();
                let lines = entries
                    .map(|(key, value, node)| {
                        let value = self.pretty(value, node, &inner, unit);
                        format!("{}: {value}", self.key(key))
                    })
                    .collect();
                wrap('{', lines, '}')
            }
            other => self.flow(other, node),
        }
    }

    /// Whether a value goes on the line of its key or dash.
    pub(super) fn is_inline(&self, value: &Value) -> bool {
        let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
        match value {
            Value::Array(items) => {
                items.iter().all(is_scalar) && self.flow(value, None).len() <= MAX_FLOW
            }
            Value::Object(map) => map.is_empty(),
            _ => true,
        }
    }

    /// A block mapping or sequence at `column`. Its first line is not indented.
    pub(super) fn block(&self, value: &Value, node: Origin<'n, 't>, column: usize) -> String {
        let lines: Vec<String> = match value {
            Value::Object(map) if !map.is_empty() => {
                let entries = self.order.entries(map, node).into_iter();
                entries.map(|(key, value, node)| self.entry(key, value, node, column)).collect()
            }
            Value::Array(items) if !items.is_empty() => {
                let items = items.iter().enumerate();
                items
                    .map(|(place, item)| {
                        let node = self.order.item(node, place);
                        format!("- {}", self.block(item, node, column + 2))
                    })
                    .collect()
            }
            other => return self.scalar(other, column),
        };
        lines.join(&self.line(column))
    }

    /// An entry of a block mapping at `column`.
    pub(super) fn entry(
        &self,
        key: &str,
        value: &Value,
        node: Origin<'n, 't>,
        column: usize,
    ) -> String {
        let key = self.key(key);
        if self.is_inline(value) {
            format!("{key}: {}", self.scalar(value, column + 2))
        } else {
            let below = self.line(column + 2);
            format!("{key}:{below}{}", self.block(value, node, column + 2))
        }
    }

    /// A value on the line of its key or dash. Further lines are indented by `column`.
    pub(super) fn scalar(&self, value: &Value, column: usize) -> String {
        match value {
            Value::String(text) if !self.style.is_json && is_plain(text) => text.clone(),
            Value::String(text) if !self.style.is_json && is_literal(text) => {
                let (text, mark) = match text.strip_suffix('\n') {
                    Some(text) => (text, "|"),
                    None => (text.as_str(), "|-"),
                };
                let lines = text.split('\n').map(|line| match line {
                    "" => self.style.newline.to_owned(),
                    line => format!("{}{line}", self.line(column)),
                });
                format!("{mark}{}", lines.collect::<String>())
            }
            other => self.flow(other, None),
        }
    }

    fn key(&self, key: &str) -> String {
        if !self.style.is_json && is_plain(key) { key.to_owned() } else { quoted(key) }
    }

    /// A line break, and an indentation.
    pub(super) fn line(&self, column: usize) -> String {
        format!("{}{}", self.style.newline, " ".repeat(column))
    }
}

/// Whether a literal block (`|`) can hold a text.
fn is_literal(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    lines.contains('\n')
        && !lines.starts_with([' ', '\n'])
        && !lines.ends_with('\n')
        && lines.split('\n').all(|line| !line.ends_with(' '))
        && lines.chars().all(|c| c == '\n' || (' '..='~').contains(&c))
}
