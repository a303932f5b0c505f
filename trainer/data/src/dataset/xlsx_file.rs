//! Reads the first sheet of an Excel workbook as a table.

use std::path::Path;

use anyhow::{Context, Result};
use calamine::{Data, Reader, Xlsx, open_workbook};

use super::problem::{ProblemKind, ProblemLog};
use super::table::{Table, TableRow};

/// Reads the first sheet. Its first row that is not empty is the header.
pub(crate) fn read(path: &Path) -> Result<Table> {
    let mut workbook: Xlsx<_> = open_workbook(path)?;
    let sheet = workbook.worksheet_range_at(0).context("the workbook has no sheet")??;
    let mut log = ProblemLog { file: path, problems: Vec::new() };
    let start = sheet.start().map_or(0, |(row, _)| row as usize);
    let mut rows = Vec::new();
    for (cells, line) in sheet.rows().zip(start + 1..) {
        if cells.iter().all(|cell| *cell == Data::Empty) {
            continue;
        }
        match cells.iter().map(text).collect() {
            Ok(cells) => rows.push(TableRow { line, cells }),
            Err(found) => log.add((line, None), ProblemKind::UnreadableRow, "text and numbers", found),
        }
    }
    let first = rows.first().map(|row| row.cells.clone()).unwrap_or_default();
    Ok(Table { path: path.to_owned(), first, rows, problems: log.problems })
}

/// Returns the text of a cell as in a CSV file. The text of a number is the shortest one with the same value.
fn text(cell: &Data) -> Result<String, String> {
    match cell {
        Data::Empty => Ok(String::new()),
        Data::String(text) => Ok(text.clone()),
        Data::Int(number) => Ok(number.to_string()),
        Data::Float(number) => Ok(number.to_string()),
        Data::Bool(value) => Err(format!("the Boolean {value}")),
        Data::DateTime(_) | Data::DateTimeIso(_) | Data::DurationIso(_) => Err(format!("the date {cell}")),
        Data::Error(error) => Err(format!("the error {error}")),
    }
}
