//! Reads the first sheet of an Excel workbook as a table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use calamine::{Data, DataRef, Reader, Xlsx, open_workbook};

use super::problem::{ProblemKind, ProblemLog};
use super::table::{Table, TableRow};

/// The largest number of columns. A small file can have a cell in the last one of 16,384, and each row has a text for
/// every column.
const MAX_COLUMNS: usize = 256;

/// Reads the first sheet. Its first row that is not empty is the header.
pub(crate) fn read(path: &Path) -> Result<Table> {
    let cells = cells(path)?;
    let columns = || cells.iter().map(|&((_, column), _)| column);
    let (first, last) = (columns().min().unwrap_or(0), columns().max().unwrap_or(0));
    let width = (last - first) as usize + 1;
    ensure!(width <= MAX_COLUMNS, "the sheet has {width} columns, expected at most {MAX_COLUMNS}");
    let mut by_row: BTreeMap<u32, Vec<Data>> = BTreeMap::new();
    for ((row, column), value) in cells {
        by_row.entry(row).or_insert_with(|| vec![Data::Empty; width])[(column - first) as usize] = value;
    }
    let mut log = ProblemLog { file: path, problems: Vec::new() };
    let mut rows = Vec::new();
    for (row, cells) in by_row {
        let line = row as usize + 1;
        match cells.iter().map(text).collect() {
            Ok(cells) => rows.push(TableRow { line, cells }),
            Err(found) => log.add((line, None), ProblemKind::UnreadableRow, "text and numbers", found),
        }
    }
    let first = rows.first().map(|row| row.cells.clone()).unwrap_or_default();
    Ok(Table { path: path.to_owned(), first, rows, problems: log.problems, image_column: None })
}

/// Returns the cells of the first sheet that are not empty, with their row and column, from 0.
///
/// [`Reader::worksheet_range`] would allocate all cells of the smallest rectangle around them, which can be billions.
fn cells(path: &Path) -> Result<Vec<((u32, u32), Data)>> {
    let mut workbook: Xlsx<_> = open_workbook(path)?;
    let sheet = workbook.sheet_names().first().cloned().context("the workbook has no sheet")?;
    let mut reader = workbook.worksheet_cells_reader(&sheet)?;
    let mut cells = Vec::new();
    while let Some(cell) = reader.next_cell()? {
        if *cell.get_value() != DataRef::Empty {
            cells.push((cell.get_position(), cell.get_value().clone().into()));
        }
    }
    Ok(cells)
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
