//! The file of a table, in any of the formats that are read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::table::Table;
use super::{csv_file, parquet_file, sheet};

/// Reads a file by its ending: Parquet (only `columns`, all of which it must have), Excel, else CSV.
pub(crate) fn read(path: &Path, columns: &[&str]) -> Result<Table> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let table = match extension.to_ascii_lowercase().as_str() {
        "parquet" => parquet_file::read(path, columns),
        "xlsx" => sheet::read(path),
        _ => fs::read(path).map_err(Into::into).and_then(|bytes| csv_file::read(path, &bytes)),
    };
    table.with_context(|| format!("reading the table {}", path.display()))
}
