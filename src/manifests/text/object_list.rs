//! The lists of objects whose items are read one at a time: the whole of a large one would take much
//! memory.

/// A list of objects, such as a `List` or a `PodList`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectList {
    /// What an item of a `PodList` need not say: its apiVersion and kind. Those of a `List` say it.
    pub(super) of: Option<(String, String)>,
}

impl ObjectList {
    /// `None` if it is another kind.
    pub(super) fn of(api_version: &str, kind: &str) -> Option<Self> {
        let item = kind.strip_suffix("List")?;
        Some(Self { of: (!item.is_empty()).then(|| (api_version.to_owned(), item.to_owned())) })
    }
}
