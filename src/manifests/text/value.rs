//! The data of a document, with aliases resolved and merge keys merged.

use std::{borrow::Cow, collections::HashMap};

use jsonptr::Token;
use serde_json::{Map, Value};

use super::{
    scalar::resolve,
    tree::{Node, NodeKind},
};
use crate::manifests::{error::Fault, printable::printable};

/// Most values that the aliases of a document may expand to. A real file has hundreds.
const MAX_ALIASED: usize = 1_000_000;

/// The key by which YAML 1.1 merges a mapping into another.
pub(super) const MERGE: &str = "<<";

/// The value of each anchor.
pub(super) type Anchors = HashMap<usize, Value>;

/// The data of a document.
#[derive(Debug)]
pub(crate) struct Data {
    /// The value of the document.
    pub(crate) value: Value,
    /// The value of each anchor in it.
    pub(super) anchors: Anchors,
    /// The keys that a later one of the same mapping replaces.
    pub(crate) duplicates: Vec<DuplicateKey>,
}

/// A key that a later one of the same mapping replaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: duplicate key {path}, first on line {first}: the last one counts")]
pub(crate) struct DuplicateKey {
    line: usize,
    path: String,
    first: usize,
}

impl Data {
    /// Reads the data of a document.
    ///
    /// # Errors
    /// With the line and the fault, such as an alias inside of its own anchor.
    pub(super) fn of(root: &Node<'_>) -> Result<Self, (usize, Fault)> {
        let mut reader = DataReader::default();
        let value = reader.read(root)?;
        let DataReader { anchors, duplicates, .. } = reader;
        Ok(Self { value, anchors, duplicates })
    }
}

/// The value of a node, given the values of the anchors.
pub(super) fn value_of(node: &Node<'_>, anchors: &Anchors) -> Value {
    if let NodeKind::Alias(anchor) = &node.kind {
        return anchors.get(anchor).cloned().unwrap_or_default();
    }
    let mut reader = DataReader { anchors: anchors.clone(), ..DataReader::default() };
    reader.read(node).unwrap_or_default()
}

#[derive(Default)]
struct DataReader {
    anchors: Anchors,
    duplicates: Vec<DuplicateKey>,
    /// The path of the current node, as a JSON pointer.
    path: String,
    aliased: usize,
}

impl DataReader {
    fn read(&mut self, node: &Node<'_>) -> Result<Value, (usize, Fault)> {
        let value = match &node.kind {
            NodeKind::Scalar { text, plain, tag } => scalar(text, *plain, tag.as_deref()),
            NodeKind::Alias(anchor) => self.alias(*anchor, node.line)?,
            NodeKind::Sequence { items, .. } => {
                let items = items.iter().enumerate();
                Value::Array(
                    items
                        .map(|(place, item)| self.below(&place.to_string(), item))
                        .collect::<Result<_, _>>()?,
                )
            }
            NodeKind::Mapping { entries, .. } => Value::Object(self.mapping(node.line, entries)?),
        };
        if node.anchor != 0 {
            self.anchors.insert(node.anchor, value.clone());
        }
        Ok(value)
    }

    fn below(&mut self, token: &str, node: &Node<'_>) -> Result<Value, (usize, Fault)> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(&printable(Token::new(token).encoded()));
        let value = self.read(node);
        if value.is_ok() {
            self.path.truncate(length);
        }
        value
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Value, (usize, Fault)> {
        let path = || self.path.clone();
        let value =
            self.anchors.get(&anchor).ok_or_else(|| (line, Fault::AliasLoop { path: path() }))?;
        self.aliased += size(value);
        if self.aliased > MAX_ALIASED {
            return Err((line, Fault::TooLarge));
        }
        Ok(value.clone())
    }

    fn mapping(
        &mut self,
        line: usize,
        entries: &[(Node<'_>, Node<'_>)],
    ) -> Result<Map<String, Value>, (usize, Fault)> {
        let mut map = Map::new();
        let mut lines = HashMap::new();
        for (key, node) in entries {
            let name = key_name(key).ok_or_else(|| {
                let path = self.path.clone();
                (key.line, Fault::KeyNotScalar { path })
            })?;
            // An anchor on the key itself, for an alias elsewhere.
            if key.anchor != 0 {
                self.read(key)?;
            }
            let value = self.below(&name, node)?;
            if is_merge(key) {
                merge(&mut map, value).map_err(|()| {
                    let path = self.path.clone();
                    (line, Fault::MergeNotMapping { path })
                })?;
                continue;
            }
            if let Some(first) = lines.insert(name.clone(), key.line) {
                let path = format!("{}/{}", self.path, printable(Token::new(&*name).encoded()));
                self.duplicates.push(DuplicateKey { line: key.line, path, first });
            }
            map.insert(name.into_owned(), value);
        }
        Ok(map)
    }
}

/// Whether a key merges its value.
pub(super) fn is_merge(key: &Node<'_>) -> bool {
    matches!(&key.kind, NodeKind::Scalar { text, plain: true, .. } if text == MERGE)
}

/// Merges a mapping, or a list of mappings, of which the first wins. Otherwise what comes later in
/// the text wins, as for kubectl: also over a key that the mapping has itself.
pub(super) fn merge(into: &mut Map<String, Value>, value: Value) -> Result<(), ()> {
    let maps = match value {
        Value::Array(maps) => maps,
        map => vec![map],
    };
    for map in maps.into_iter().rev() {
        let Value::Object(map) = map else {
            return Err(());
        };
        into.extend(map);
    }
    Ok(())
}

/// The name of a key in JSON.
pub(super) fn key_name<'n>(key: &'n Node<'_>) -> Option<Cow<'n, str>> {
    let NodeKind::Scalar { text, plain, tag } = &key.kind else {
        return None;
    };
    Some(match scalar(text, *plain, tag.as_deref()) {
        Value::String(_) | Value::Null => Cow::Borrowed(text),
        value => Cow::Owned(value.to_string()),
    })
}

pub(super) fn scalar(text: &str, plain: bool, tag: Option<&str>) -> Value {
    match tag {
        None if plain => resolve(text),
        Some("bool" | "int" | "float" | "null") => resolve(text),
        _ => Value::String(text.to_owned()),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}
