//! Labels and annotations.

use std::collections::BTreeMap;

/// The labels or annotations of an object.
pub type StringMap = BTreeMap<String, String>;
