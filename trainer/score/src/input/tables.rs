//! The records of the lists and tables that `--from` names.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::args::InputArgs;
use super::images::SkippedImages;
#[cfg(feature = "arrow")]
use super::parquet_table;
use super::paths::{TABLES, count_path, extension, failed, pattern};
use super::record::Records;
use super::table::Table;
use super::{csv_table, lines};
#[cfg(not(feature = "arrow"))]
use crate::without_arrow::parquet_table;

/// Returns the tables of one value of `--from`: a file, the tables in a folder and its subfolders, or the files that
/// match a glob pattern.
///
/// # Errors
/// Returns an error if a folder cannot be read, or if there is no table.
pub fn tables(from: &Path) -> Result<VecDeque<PathBuf>> {
    let tables: VecDeque<PathBuf> = if from.is_dir() {
        let files = WalkDir::new(from).follow_links(true).sort_by_file_name().into_iter();
        let paths = files.map(|entry| entry.map(walkdir::DirEntry::into_path));
        let is_table = |path: &PathBuf| TABLES.contains(&extension(path).as_str()) && path.is_file();
        paths.filter(|path| path.as_ref().map_or(true, is_table)).collect::<Result<_, _>>()?
    } else if let Some(pattern) = pattern(from) {
        glob::glob(pattern).context("reading the pattern")?.collect::<Result<_, _>>()?
    } else {
        return Ok([from.to_owned()].into());
    };
    if tables.is_empty() {
        bail!(
            "found no tables; expected files ending in {}; pass a folder of images without --from",
            TABLES.join(", ")
        );
    }
    Ok(tables)
}

/// Returns the records of all tables of one value of `--from`.
///
/// # Errors
/// Returns an error if the first table cannot be opened. The error of a later table becomes a record.
pub fn of_tables(from: &Path, args: &InputArgs, skipped: &SkippedImages) -> Result<Records> {
    let mut tables = tables(from)?;
    let Some(path) = tables.pop_front() else { return Ok(Box::new(iter::empty())) };
    let first = of_table(&path, args, skipped);
    let first = if path == from { first? } else { first.with_context(|| display(&path))? };
    let (args, skipped) = (args.clone(), skipped.clone());
    Ok(Box::new(first.chain(tables.into_iter().flat_map(move |table| {
        of_table(&table, &args, &skipped).unwrap_or_else(|error| failed(&table, error.context("reading the table")))
    }))))
}

fn of_table(path: &Path, args: &InputArgs, skipped: &SkippedImages) -> Result<Records> {
    let (images, columns) = (args.images.as_deref(), args.columns.clone().unwrap_or_default());
    if is_stdin(path) {
        let table = Table { name: "stdin".into(), folder: images.unwrap_or(Path::new("")).to_owned() };
        return lines::json_or_list(BufReader::new(io::stdin()), table, &columns, skipped);
    }
    let table = Table::new(path, images);
    match extension(path).as_str() {
        "csv" | "tsv" | "tab" => csv_table::open(path, table, &columns),
        "jsonl" | "ndjson" => Ok(lines::json(BufReader::new(File::open(path)?), table, &columns)),
        "parquet" => parquet_table::open(path, table, &columns),
        _ => Ok(lines::list(BufReader::new(File::open(path)?), table, skipped)),
    }
}

/// Returns the number of records in a table or list, or `None` for standard input and for a table that cannot be read.
pub fn count_table(table: &Path) -> Option<u64> {
    match extension(table).as_str() {
        _ if is_stdin(table) => None,
        "parquet" => parquet_table::count(table).ok(),
        "csv" | "tsv" | "tab" => csv_table::count(table).ok(),
        "jsonl" | "ndjson" => lines::count(BufReader::new(File::open(table).ok()?), |_| Some(1)),
        _ => lines::count(BufReader::new(File::open(table).ok()?), |line| count_path(line.as_ref())),
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the name of a list or table in messages.
pub fn display(path: &Path) -> String {
    if is_stdin(path) { "standard input".into() } else { path.display().to_string() }
}
