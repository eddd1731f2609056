//! Text tables without borders, for terminals and logs.

use comfy_table::{Row, Table, presets};

/// Creates a table with a header.
pub(crate) fn table(header: impl Into<Row>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Renders a table as lines without trailing blanks.
pub(crate) fn render(table: &Table) -> String {
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}
