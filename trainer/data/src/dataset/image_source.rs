//! Where the image of an item is: in a file, or in a Parquet file.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::parquet_images;

/// The place of an encoded image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageSource {
    /// A file.
    File(PathBuf),
    /// A cell of a Parquet file.
    Cell {
        /// The path of the Parquet file.
        table: PathBuf,
        /// The name of the column.
        column: String,
        /// The number of the row, counted from 1.
        row: usize,
    },
}

impl ImageSource {
    /// Returns the path of the image, or of the Parquet file that holds it.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Cell { table, .. } => table,
        }
    }

    /// Returns a short name for people: that of the file, or the number of the row.
    pub fn name(&self) -> String {
        let file = self.path().file_name().unwrap_or(self.path().as_os_str()).to_string_lossy();
        match self {
            Self::File(_) => file.into_owned(),
            Self::Cell { row, .. } => format!("{file}: row {row}"),
        }
    }

    /// Returns the bytes of the image. In a Parquet file, the rows before it in its row group may be read as well.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or its cell has no image.
    pub fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => fs::read(path).context("reading the file"),
            Self::Cell { table, column, row } => parquet_images::read_one(table, column, *row),
        }
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Cell { table, row, .. } => write!(f, "{}: row {row}", table.display()),
        }
    }
}

impl From<PathBuf> for ImageSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}
