//! Where images come from: one record after the other, whatever the kind of input.
//!
//! Nothing is listed before it is asked for, so that an input of any size is begun at once and takes no memory.

pub mod cells;
mod csv_table;
mod lines;
mod parquet_table;
mod shard;
pub mod table;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use super::args::InputArgs;
use super::record::Record;
use crate::images::{EXTENSIONS, check_file, in_folder};

use table::Table;

pub use table::ColumnNames;

/// Records as they are found.
pub type Records = Box<dyn Iterator<Item = Record> + Send>;

/// Everything that the flags name: paths first, then lists and tables, each in its own order.
///
/// # Errors
/// When a list or table cannot be opened, or there is neither an image nor an error to report.
pub fn records(args: &InputArgs) -> Result<Records> {
    let mut records: Records = Box::new(args.paths.clone().into_iter().flat_map(|path| of_path(&path)));
    for from in &args.from {
        let opened = of_table(from, args).with_context(|| format!("reading {}", from.display()))?;
        records = Box::new(records.chain(opened));
    }
    let mut records = records.peekable();
    if records.peek().is_none() {
        let inputs = args.paths.iter().chain(&args.from).map(|path| path.display().to_string());
        let inputs: Vec<String> = inputs.collect();
        bail!("no image in {}; expected files ending in {}", inputs.join(", "), EXTENSIONS.join(", "));
    }
    Ok(Box::new(records))
}

/// How many records there are, where that can be known without reading images: for the time left.
pub fn count(args: &InputArgs) -> Option<u64> {
    let mut records = 0;
    for path in &args.paths {
        records += if is_shard(path) { shard::count(path).ok()? } else { of_path(path).count() as u64 };
    }
    for from in &args.from {
        records += match ending(from).as_str() {
            _ if is_stdin(from) => return None,
            "parquet" => parquet_table::count(from).ok()?,
            _ => of_table(from, args).ok()?.count() as u64,
        };
    }
    Some(records)
}

/// An image, a folder, a tar file, or a pattern for such.
fn of_path(path: &Path) -> Records {
    let pattern = path.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '[']));
    match pattern.map(glob::glob) {
        None => of_plain_path(path),
        Some(Err(error)) => failed(path, anyhow!(error).context("reading the pattern")),
        Some(Ok(found)) => {
            let mut found = found.peekable();
            if found.peek().is_none() {
                return failed(path, anyhow!("no file fits this pattern"));
            }
            Box::new(found.flat_map(|found| match found {
                Ok(path) => of_plain_path(&path),
                Err(error) => failed(error.path(), anyhow!("{}", error.error())),
            }))
        }
    }
}

fn of_plain_path(path: &Path) -> Records {
    if path.is_dir() {
        return Box::new(in_folder(path).map(|(path, found)| match found {
            Ok(()) => Record::file(path),
            Err(error) => Record::failed_path(&path, error),
        }));
    }
    // A file that was named is scored, whatever its ending.
    match check_file(path) {
        Ok(()) if is_shard(path) => shard::records(path),
        Ok(()) => Box::new(std::iter::once(Record::file(path.to_owned()))),
        Err(error) => failed(path, error),
    }
}

fn of_table(path: &Path, args: &InputArgs) -> Result<Records> {
    let (images, columns) = (args.images.as_deref(), args.columns.clone().unwrap_or_default());
    if is_stdin(path) {
        let table = Table { name: "stdin".into(), folder: images.unwrap_or(Path::new("")).to_owned() };
        return lines::either(BufReader::new(io::stdin()), table, &columns);
    }
    let table = Table::new(path, images);
    match ending(path).as_str() {
        "csv" => csv_table::open(path, table, &columns),
        "jsonl" | "ndjson" => Ok(lines::json(BufReader::new(File::open(path)?), table, &columns)),
        "parquet" => parquet_table::open(path, table, &columns),
        _ => Ok(lines::list(BufReader::new(File::open(path)?), table)),
    }
}

fn failed(path: &Path, error: anyhow::Error) -> Records {
    Box::new(std::iter::once(Record::failed_path(path, error)))
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn is_shard(path: &Path) -> bool {
    ending(path) == "tar"
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}
