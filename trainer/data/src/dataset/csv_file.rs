//! Reads a CSV file as a table.

use std::path::Path;

use anyhow::Result;

use super::problem::{ProblemKind, ProblemLog};
use super::table::{Table, TableRow};
use crate::csv_format::{self, QuoteChecker, WRONG_QUOTE, read_row};

/// Reads a CSV file. Quoted fields may contain line breaks, and blank lines are skipped.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Table> {
    let (mut builder, separator) = csv_format::builder(path, bytes);
    let mut reader = builder.has_headers(false).from_reader(QuoteChecker::new(bytes, separator));
    let mut log = ProblemLog { file: path, problems: Vec::new() };
    let (mut rows, mut record) = (Vec::new(), csv::ByteRecord::new());
    let (mut n_columns, mut counted, mut line) = (None, 0, 1);
    while let Some(is_right) = read_row(&mut reader, &mut record)? {
        // The line number of the crate `csv` is too small by one after \r\n, and is that of the blank lines before a
        // row.
        let start = record.position().expect("a record that was read has a position").byte() as usize;
        let breaks = bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        line += bytes[counted..start + breaks].iter().filter(|&&byte| byte == b'\n').count();
        counted = start + breaks;

        if !is_right {
            log.add((line, None), ProblemKind::UnreadableRow, "quotation marks in pairs", WRONG_QUOTE);
            continue;
        }
        let expected = *n_columns.get_or_insert(record.len());
        let cells: Result<Vec<String>, usize> = record
            .iter()
            .enumerate()
            .map(|(column, cell)| std::str::from_utf8(cell).map(str::to_owned).map_err(|_| column))
            .collect();
        match cells {
            Err(column) => {
                let found = format!("other bytes in field {}", column + 1);
                log.add((line, None), ProblemKind::UnreadableRow, "UTF-8", found);
            }
            Ok(cells) if cells.len() != expected => {
                log.add(
                    (line, cells.first().map(String::as_str)),
                    ProblemKind::UnreadableRow,
                    format!("{expected} fields"),
                    cells.len().to_string(),
                );
            }
            Ok(cells) => rows.push(TableRow { line, cells }),
        }
    }
    let first = rows.first().map(|row| row.cells.clone()).unwrap_or_default();
    Ok(Table { path: path.to_owned(), first, rows, problems: log.problems, image_column: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(usize, usize)> {
        let table = read(Path::new("a.csv"), text).expect("it reads");
        table.rows.iter().map(|row| (row.line, row.cells.len())).collect()
    }

    #[test]
    fn a_row_has_the_line_on_which_it_starts() {
        for line_break in ["\n", "\r\n"] {
            let text = ["a,b", "1,2", "", "", "3,\"x", "y\"", "5,6"].join(line_break);
            assert_eq!(lines(text.as_bytes()), [(1, 2), (2, 2), (5, 2), (7, 2)], "{line_break:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_removed_from_the_first_cell() {
        let table = read(Path::new("a.csv"), "\u{feff}name,b\n".as_bytes()).expect("it reads");
        assert_eq!(table.first, ["name", "b"]);
    }

    #[test]
    fn the_first_line_determines_the_separator_and_wrong_quotation_marks_have_their_line() {
        let table = read(Path::new("a.csv"), b"a;b\n1;\"x;y\"\n2;\"z\n3;w\n").expect("it reads");
        assert_eq!(table.rows.iter().map(|row| row.cells.len()).collect::<Vec<_>>(), [2, 2]);
        let problems: Vec<String> = table.problems.iter().map(ToString::to_string).collect();
        assert!(
            matches!(&problems[..], [problem] if problem.starts_with("a.csv:3: ") && problem.contains("not closed"))
        );
    }

    #[test]
    fn rows_that_cannot_be_read_are_listed_and_the_rest_is_kept() {
        let table = read(Path::new("a.csv"), b"a,b\r\nx\r\n\xff,1\r\n2,3\r\n4,5,6\r\n").expect("it reads");
        assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 4]);
        let problems: Vec<String> = table.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "a.csv:2: x: expected 2 fields, found 1",
                "a.csv:3: expected UTF-8, found other bytes in field 1",
                "a.csv:5: 4: expected 2 fields, found 3"
            ]
        );
    }
}
