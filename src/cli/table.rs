//! Tables for people: columns as wide as their widest cell, two blanks between them.

use chrono::{DateTime, Utc};

/// The rows below their headings.
pub(super) fn render<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let all: Vec<&[String; N]> = std::iter::once(&headings).chain(rows).collect();
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row.iter()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &&[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A day, as a cell shows it.
pub(super) fn day(instant: Option<DateTime<Utc>>) -> String {
    instant.map_or_else(|| "?".to_owned(), |instant| instant.format("%F").to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up() {
        let rows = [
            ["1".to_owned(), "acme".to_owned(), "x".to_owned()],
            ["12".to_owned(), "é".to_owned(), String::new()],
        ];
        assert_eq!(super::render(["ID", "NAME", "Z"], &rows), "ID  NAME  Z\n1   acme  x\n12  é");
    }
}
