//! Tables as text: rows of cells, whatever the file's format.

use std::path::PathBuf;

use super::problem::Problem;

/// A table; cells that hold nothing are empty.
#[derive(Debug)]
pub(crate) struct Table {
    pub path: PathBuf,
    /// The first row, which may be a header.
    pub first: Vec<String>,
    /// The readable rows, the first among them.
    pub rows: Vec<TableRow>,
    /// The rows that could not be read.
    pub problems: Vec<Problem>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableRow {
    /// The line on which it starts, from 1.
    pub line: usize,
    pub cells: Vec<String>,
}
