//! The first sheet of an Excel workbook as a table.

use std::path::Path;

use anyhow::{Context, Result};
use calamine::{Data, Reader, Xlsx, open_workbook};

use super::problem::{Notes, ProblemKind};
use super::table::{Table, TableRow};

/// Reads the first sheet; its first row that is not empty is the header.
pub(crate) fn read(path: &Path) -> Result<Table> {
    let mut workbook: Xlsx<_> = open_workbook(path)?;
    let sheet = workbook.worksheet_range_at(0).context("the workbook has no sheet")??;
    let mut notes = Notes { file: path, problems: Vec::new() };
    let start = sheet.start().map_or(0, |(row, _)| row as usize);
    let mut rows = Vec::new();
    for (cells, line) in sheet.rows().zip(start + 1..) {
        if cells.iter().all(|cell| *cell == Data::Empty) {
            continue;
        }
        match cells.iter().map(text).collect() {
            Ok(cells) => rows.push(TableRow { line, cells }),
            Err(found) => notes.note((line, None), ProblemKind::UnreadableRow, "text and numbers", found),
        }
    }
    let first = rows.first().map(|row| row.cells.clone()).unwrap_or_default();
    Ok(Table { path: path.to_owned(), first, rows, problems: notes.problems })
}

/// A cell as CSV would have it: a number's text is the shortest that reads back as the same number.
fn text(cell: &Data) -> Result<String, String> {
    match cell {
        Data::Empty => Ok(String::new()),
        Data::String(text) => Ok(text.clone()),
        Data::Int(number) => Ok(number.to_string()),
        Data::Float(number) => Ok(number.to_string()),
        Data::Bool(value) => Err(format!("the truth value {value}")),
        Data::DateTime(_) | Data::DateTimeIso(_) | Data::DurationIso(_) => Err(format!("the date {cell}")),
        Data::Error(error) => Err(format!("the error {error}")),
    }
}
