//! Reads JSON with the position of every value. A YAML parser could read it too, but keeps all of a
//! document in memory for as long as its first brace is open.

use std::{borrow::Cow, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Error, value::RawValue};

use super::{
    line_counter::LineCounter,
    object_list::ObjectList,
    tree::{Node, NodeKind},
};

/// Deeper nesting is refused: the tree is walked recursively.
const MAX_DEPTH: usize = 250;

/// A JSON value in a text, and the kind of the list that it is an item of.
#[derive(Debug)]
pub(super) struct JsonPart {
    pub(super) range: Range<usize>,
    /// The number of its document, from 1.
    pub(super) document: usize,
    /// What an item of a list such as a PodList need not say: its apiVersion and kind.
    pub(super) of_list: Option<(String, String)>,
}

/// The JSON values in `text`, which begins at `offset` of the whole text. With `splits_lists` the
/// items of a List stand for it: the whole of a large one would take much memory.
///
/// # Errors
/// When it is not JSON.
pub(super) fn parts(text: &str, offset: usize, splits_lists: bool) -> Result<Vec<JsonPart>, Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut parts, mut start, mut document) = (Vec::new(), 0, 0);
    while let Some(value) = values.next() {
        value?;
        document += 1;
        let range = start..values.byte_offset();
        start = range.end;
        let list = if splits_lists { list(&text[range.clone()]) } else { None };
        match list {
            Some((list, items)) => parts.extend(items.into_iter().map(|item| JsonPart {
                range: shifted(position(text, item.get()), offset),
                document,
                of_list: list.of.clone(),
            })),
            None => {
                let range = shifted(range, offset);
                parts.push(JsonPart { range, document, of_list: None });
            }
        }
    }
    Ok(parts)
}

fn shifted(range: Range<usize>, offset: usize) -> Range<usize> {
    range.start + offset..range.end + offset
}

/// Where `part` is in `text`, of which it is a slice.
fn position(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

/// A string, borrowed where the text has no escapes.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

/// A list has no field but these: a list that SOPS has encrypted is one whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListFields<'t> {
    #[serde(borrow)]
    api_version: Text<'t>,
    #[serde(borrow)]
    kind: Text<'t>,
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
    #[serde(borrow)]
    items: Vec<&'t RawValue>,
}

/// The list that `json` is, and its items.
fn list(json: &str) -> Option<(ObjectList, Vec<&RawValue>)> {
    let fields: ListFields<'_> = serde_json::from_str(json).ok()?;
    let are_objects = fields.items.iter().all(|item| item.get().starts_with('{'));
    let list = ObjectList::of(&fields.api_version.0, &fields.kind.0).filter(|_| are_objects)?;
    Some((list, fields.items))
}

/// Reads values from the beginning of a text to its end.
#[derive(Debug)]
pub(super) struct JsonReader<'t> {
    text: &'t str,
    lines: LineCounter<'t>,
}

impl<'t> JsonReader<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, lines: LineCounter::new(text) }
    }

    /// The value in `range`. `None` if it is nested too deeply.
    pub(super) fn read(&mut self, range: Range<usize>) -> Result<Option<Node<'t>>, Error> {
        let value: &RawValue = serde_json::from_str(&self.text[range])?;
        self.value(value.get(), 0)
    }

    /// The line of the next value.
    pub(super) fn line_of(&mut self, at: usize) -> usize {
        self.lines.line_of(at)
    }

    fn value(&mut self, json: &'t str, depth: usize) -> Result<Option<Node<'t>>, Error> {
        if depth > MAX_DEPTH {
            return Ok(None);
        }
        let range = position(self.text, json);
        let line = self.line_of(range.start);
        let kind = match json.as_bytes().first() {
            Some(b'{') => {
                let Entries(values) = serde_json::from_str(json)?;
                let mut entries = Vec::with_capacity(values.len());
                let mut end = range.start;
                for (key, value) in values {
                    let key = self.key(key, end, position(self.text, value.get()).start);
                    let Some(value) = self.value(value.get(), depth + 1)? else { return Ok(None) };
                    end = value.end;
                    entries.push((key, value));
                }
                NodeKind::Mapping { entries, flow: true }
            }
            Some(b'[') => {
                let values: Vec<&'t RawValue> = serde_json::from_str(json)?;
                let mut items = Vec::with_capacity(values.len());
                for value in values {
                    let Some(item) = self.value(value.get(), depth + 1)? else { return Ok(None) };
                    items.push(item);
                }
                NodeKind::Sequence { items, flow: true }
            }
            Some(b'"') => {
                let Text(text) = serde_json::from_str(json)?;
                NodeKind::Scalar { text, plain: false, tag: None }
            }
            _ => NodeKind::Scalar { text: Cow::Borrowed(json), plain: true, tag: None },
        };
        Ok(Some(Node::of_json(kind, range, line)))
    }

    /// A key somewhere between the end of what is before it and its value.
    fn key(&mut self, key: Cow<'t, str>, before: usize, value: usize) -> Node<'t> {
        let between = &self.text[before..value];
        let start = before + between.find('"').unwrap_or_default();
        let end = before + between.trim_end().trim_end_matches(':').trim_end().len();
        let line = self.line_of(start);
        let kind = NodeKind::Scalar { text: key, plain: false, tag: None };
        Node::of_json(kind, start..end, line)
    }
}

/// The entries of an object, in the order of the text and with duplicates.
struct Entries<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Entries<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonObjectVisitor;
        impl<'de> Visitor<'de> for JsonObjectVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Text(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(JsonObjectVisitor)
    }
}
