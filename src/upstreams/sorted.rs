//! Small sets as sorted vectors: a B-tree has room for eleven in the first place, and most of these
//! sets have one or two.

/// Inserts a value, unless it is there.
pub(super) fn insert<T: Ord>(set: &mut Vec<T>, value: T) {
    if let Err(place) = set.binary_search(&value) {
        if set.is_empty() {
            set.reserve_exact(1);
        }
        set.insert(place, value);
    }
}

/// Removes a value, if it is there.
pub(super) fn remove<T: Ord>(set: &mut Vec<T>, value: &T) {
    if let Ok(place) = set.binary_search(value) {
        set.remove(place);
    }
}

/// Whether a value is there.
pub(super) fn contains<T: Ord>(set: &[T], value: &T) -> bool {
    set.binary_search(value).is_ok()
}
