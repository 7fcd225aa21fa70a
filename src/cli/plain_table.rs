//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets::NOTHING};

use crate::manifests::printable;

/// A table that ends with an empty line; nothing without rows.
pub(super) fn plain_table<const N: usize>(
    header: [&str; N],
    rows: impl ExactSizeIterator<Item = [String; N]>,
) -> String {
    if rows.len() == 0 {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header).add_rows(rows.map(|row| row.map(|cell| printable(&cell))));
    let lines = table.lines().map(|line| line.trim().to_owned() + "\n");
    lines.collect::<String>() + "\n"
}
