//! Reads a table file in one of the supported formats.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::table::Table;
use super::{csv_file, parquet_file, xlsx_file};
use crate::parallel::catch_panic;

/// Reads a table. The extension determines the format: Parquet, Excel, or else CSV.
///
/// Only `columns` are read from Parquet, and they must exist. `image` is the column of images or of their paths, which may
/// also be one of `columns`. All columns are read from other formats.
pub(crate) fn read(path: &Path, columns: &[&str], image: Option<&str>) -> Result<Table> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let table = match extension.to_ascii_lowercase().as_str() {
        // Both readers panic on some damaged files.
        "parquet" => catch_panic(|| parquet_file::read(path, columns, image)),
        "xlsx" => catch_panic(|| xlsx_file::read(path)),
        _ => fs::read(path).map_err(Into::into).and_then(|bytes| csv_file::read(path, &bytes)),
    };
    table.with_context(|| format!("reading the table {}", path.display()))
}

/// Returns the names of a Parquet file's columns.
pub(crate) fn column_names(path: &Path) -> Result<Vec<String>> {
    catch_panic(|| parquet_file::column_names(path)).with_context(|| format!("reading the table {}", path.display()))
}
