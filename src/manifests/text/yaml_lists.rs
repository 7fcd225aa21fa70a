//! Finds the lists of a YAML text.

use std::{mem::replace, ops::Range};

use super::{
    object_list::ObjectList,
    tree::{Node, NodeKind, Part},
    value::key_name,
};

/// The lists in a part of a YAML text, each with the line where its document begins. A list in
/// brackets is none: its parser keeps all of it in memory. `None` if a list has an alias, which may
/// stand for a part of another item.
pub(super) fn lists(
    text: &str,
    range: Range<usize>,
    lines: usize,
) -> Option<Vec<(usize, ObjectList)>> {
    let words = &text[range.clone()];
    if !words.contains("List") || !words.contains("items") {
        return Some(Vec::new());
    }
    let mut part = Part::outline(text, range, lines);
    let mut lists = Vec::new();
    // What cannot be read is an error of those who read all of it.
    while let Ok(Some(document)) = part.document() {
        if let Some(list) = list(&document.root) {
            if document.has_alias {
                return None;
            }
            lists.push((document.line, list));
        }
    }
    Some(lists)
}

/// A list has no field but these: a list that SOPS has encrypted is one whole.
fn list(root: &Node<'_>) -> Option<ObjectList> {
    let NodeKind::Mapping { entries, flow: false } = &root.kind else { return None };
    let (mut api_version, mut kind, mut has_items, mut has_metadata) = (None, None, false, false);
    for (key, value) in entries {
        let is_other = match (&*key_name(key)?, &value.kind) {
            ("apiVersion", NodeKind::Scalar { text, .. }) => api_version.replace(text).is_some(),
            ("kind", NodeKind::Scalar { text, .. }) => kind.replace(text).is_some(),
            ("metadata", NodeKind::Mapping { .. }) => replace(&mut has_metadata, true),
            ("items", NodeKind::Sequence { items, flow: false }) => {
                let are_objects =
                    items.iter().all(|item| matches!(item.kind, NodeKind::Mapping { .. }));
                !are_objects || replace(&mut has_items, !items.is_empty())
            }
            _ => true,
        };
        if is_other {
            return None;
        }
    }
    has_items.then(|| ObjectList::of(api_version.map_or("", |it| it), kind?))?
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PODS: &str = "kind: PodList\napiVersion: v1\nitems:\n- {}\n- metadata: {name: web}\n";

    #[rstest]
    #[case::of_pods(PODS, &[(1, Some("Pod"))])]
    #[case::of_kubectl("apiVersion: v1\nitems:\n- kind: Pod\nkind: List\nmetadata: {}\n", &[(1, None)])]
    #[case::quoted("\"kind\": \"List\"\n'items':\n  - a: 1\n", &[(1, None)])]
    #[case::second_document(&format!("a: 1\n---\n{PODS}---\n{PODS}"), &[(2, Some("Pod")), (8, Some("Pod"))])]
    #[case::in_brackets("{kind: List, items: [{}]}", &[])]
    #[case::items_in_brackets("kind: List\nitems: [{}]", &[])]
    #[case::no_items("kind: List\nitems: []\n", &[])]
    #[case::item_that_is_no_object("kind: List\nitems:\n- {}\n- a\n", &[])]
    #[case::another_kind("kind: Lists\nitems:\n- {}\n", &[])]
    #[case::no_kind("items:\n- {}\n# List\n", &[])]
    #[case::sops("kind: List\nitems:\n- {}\nsops: {mac: a}\n", &[])]
    #[case::kind_again("kind: List\nitems:\n- {}\nkind: PodList\n", &[])]
    #[case::items_again("kind: List\nitems:\n- {}\nitems:\n- {}\n", &[])]
    #[case::metadata_that_is_a_list("kind: List\nmetadata:\n- {}\nitems:\n- {}\n", &[])]
    #[case::merge("kind: List\n<<: {}\nitems:\n- {}\n", &[])]
    #[case::before_what_cannot_be_read(&format!("{PODS}---\n}}"), &[(1, Some("Pod"))])]
    #[case::that_cannot_be_read(&format!("{PODS}}}"), &[])]
    fn which_documents_are_lists(#[case] text: &str, #[case] expected: &[(usize, Option<&str>)]) {
        let lists = lists(text, 0..text.len(), 0).unwrap();
        let lists: Vec<_> = lists
            .iter()
            .map(|(line, list)| (*line, list.of.as_ref().map(|(_, kind)| kind.as_str())))
            .collect();
        assert_eq!(lists, expected, "{text}");
    }

    #[rstest]
    #[case::in_a_list("kind: List\nitems:\n- &a {}\n- b: *a\n", true)]
    #[case::beside_a_list(&format!("{PODS}---\na: &a {{}}\nb: *a\n"), false)]
    #[case::none(&PODS.replace("{}", "&a {}"), false)]
    fn no_list_is_split_if_one_has_an_alias(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(lists(text, 0..text.len(), 0).is_none(), expected, "{text}");
    }
}
