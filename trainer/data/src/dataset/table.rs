//! A table of text cells, which is independent of the file format.

use std::path::PathBuf;

use super::problem::Problem;

/// A table of text cells.
#[derive(Debug)]
pub(crate) struct Table {
    pub path: PathBuf,
    /// The first row, which may be a header.
    pub first: Vec<String>,
    /// The readable rows, including the first one.
    pub rows: Vec<TableRow>,
    /// The problems of the rows that could not be read.
    pub problems: Vec<Problem>,
    /// The column of a Parquet file that holds the images themselves; `None` if they are files.
    pub image_column: Option<String>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableRow {
    /// The line on which the row starts, counted from 1.
    pub line: usize,
    pub cells: Vec<String>,
}
