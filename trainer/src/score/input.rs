//! Where images come from: one record after the other, whatever the kind of input.
//!
//! Nothing is listed before it is asked for, so that an input of any size is begun at once and takes no memory.

pub mod cells;
mod csv_table;
mod lines;
mod parquet_table;
mod shard;
pub mod table;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use walkdir::WalkDir;

use super::args::InputArgs;
use super::record::Record;
use crate::images::{EXTENSIONS, PassedOver, check_file, check_no_address, in_folder};

use table::Table;

pub use table::ColumnNames;

/// Records as they are found.
pub type Records = Box<dyn Iterator<Item = Record> + Send>;

/// Endings of tables; in a folder of tables, other files are passed over.
const TABLES: [&str; 6] = ["csv", "tsv", "tab", "jsonl", "ndjson", "parquet"];

/// Everything that the flags name: paths first, then lists and tables, each in its own order.
///
/// # Errors
/// When a list or table cannot be opened, or there is neither an image nor an error to report.
pub fn records(args: &InputArgs, passed_over: &PassedOver) -> Result<Records> {
    let seen = passed_over.clone();
    let mut records: Records = Box::new(args.paths.clone().into_iter().flat_map(move |path| of_path(&path, &seen)));
    for from in &args.from {
        let opened = of_tables(from, args, passed_over).with_context(|| format!("reading {}", display(from)))?;
        records = Box::new(records.chain(opened));
    }
    let mut records = records.peekable();
    if records.peek().is_none() {
        if args.paths.is_empty() {
            let tables: Vec<String> = args.from.iter().map(|from| display(from)).collect();
            bail!("no row in {}: expected a line or a row for each image", tables.join(", "));
        }
        let inputs: Vec<String> = args.paths.iter().chain(&args.from).map(|path| display(path)).collect();
        let passed_over = passed_over.note().map(|note| format!(" ({note})")).unwrap_or_default();
        bail!("no image in {}; expected files ending in {}{passed_over}", inputs.join(", "), EXTENSIONS.join(", "));
    }
    Ok(Box::new(records))
}

/// How many records there are, where that can be known without reading images: for the time left.
pub fn count(args: &InputArgs) -> Option<u64> {
    let mut records = 0;
    for path in &args.paths {
        records += count_path(path)?;
    }
    for from in &args.from {
        for table in tables(from).ok()? {
            records += match ending(&table).as_str() {
                _ if is_stdin(&table) => return None,
                "parquet" => parquet_table::count(&table).ok()?,
                "csv" | "tsv" | "tab" => csv_table::count(&table).ok()?,
                "jsonl" | "ndjson" => lines::count(BufReader::new(File::open(&table).ok()?), |_| Some(1))?,
                _ => lines::count(BufReader::new(File::open(&table).ok()?), |line| count_path(line.as_ref()))?,
            };
        }
    }
    Some(records)
}

fn count_path(path: &Path) -> Option<u64> {
    if path.is_dir() {
        return Some(in_folder(path, &PassedOver::default()).count() as u64);
    }
    if path.is_file() {
        return if is_shard(path) { shard::count(path).ok()? } else { Some(1) };
    }
    match pattern(path) {
        Some(pattern) => glob::glob(pattern).ok()?.flatten().map(|path| count_path(&path)).sum(),
        None => Some(1),
    }
}

/// A path that is none, and has a pattern's characters.
fn pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '[']))
}

/// An image, a folder, a tar file, or a pattern for such.
fn of_path(path: &Path, passed_over: &PassedOver) -> Records {
    if let Err(error) = check_no_address(&path.to_string_lossy()) {
        return failed(path, error);
    }
    match pattern(path).map(glob::glob) {
        None => of_plain_path(path, passed_over),
        Some(Err(error)) => failed(path, anyhow!(error).context("reading the pattern")),
        Some(Ok(found)) => {
            let mut found = found.peekable();
            if found.peek().is_none() {
                return failed(path, anyhow!("no file fits this pattern"));
            }
            let passed_over = passed_over.clone();
            Box::new(found.flat_map(move |found| match found {
                Ok(path) => of_plain_path(&path, &passed_over),
                Err(error) => failed(error.path(), anyhow!("{}", error.error())),
            }))
        }
    }
}

fn of_plain_path(path: &Path, passed_over: &PassedOver) -> Records {
    if path.is_dir() {
        return Box::new(in_folder(path, passed_over).map(|(path, found)| match found {
            Ok(()) => Record::file(path),
            Err(error) => Record::failed_path(&path, error),
        }));
    }
    // A file that was named is scored, whatever its ending.
    match check_file(path) {
        Ok(()) if is_shard(path) => shard::records(path, passed_over),
        Ok(()) if TABLES.contains(&ending(path).as_str()) => {
            failed(path, anyhow!("a table, and no image: pass it as --from {}", path.display()))
        }
        Ok(()) => Box::new(iter::once(Record::file(path.to_owned()))),
        Err(error) => failed(path, error),
    }
}

/// The tables that a value of `--from` names: a file, those below a folder, or those that fit a pattern.
fn tables(from: &Path) -> Result<VecDeque<PathBuf>> {
    let tables: VecDeque<PathBuf> = if from.is_dir() {
        let files = WalkDir::new(from).follow_links(true).sort_by_file_name().into_iter();
        let paths = files.map(|entry| entry.map(walkdir::DirEntry::into_path));
        let is_table = |path: &PathBuf| TABLES.contains(&ending(path).as_str()) && path.is_file();
        paths.filter(|path| path.as_ref().map_or(true, is_table)).collect::<Result<_, _>>()?
    } else if let Some(pattern) = pattern(from) {
        glob::glob(pattern).context("reading the pattern")?.collect::<Result<_, _>>()?
    } else {
        return Ok([from.to_owned()].into());
    };
    if tables.is_empty() {
        bail!("expected tables ending in {}, found none; images are scored without --from", TABLES.join(", "));
    }
    Ok(tables)
}

/// The rows of all tables that are meant; what is wrong with the first is told at once, with a later one in its row.
fn of_tables(from: &Path, args: &InputArgs, passed_over: &PassedOver) -> Result<Records> {
    let mut tables = tables(from)?;
    let Some(path) = tables.pop_front() else { return Ok(Box::new(iter::empty())) };
    let first = of_table(&path, args, passed_over);
    let first = if path == from { first? } else { first.with_context(|| display(&path))? };
    let (args, passed_over) = (args.clone(), passed_over.clone());
    Ok(Box::new(first.chain(tables.into_iter().flat_map(move |table| {
        of_table(&table, &args, &passed_over).unwrap_or_else(|error| failed(&table, error.context("reading the table")))
    }))))
}

fn of_table(path: &Path, args: &InputArgs, passed_over: &PassedOver) -> Result<Records> {
    let (images, columns) = (args.images.as_deref(), args.columns.clone().unwrap_or_default());
    if is_stdin(path) {
        let table = Table { name: "stdin".into(), folder: images.unwrap_or(Path::new("")).to_owned() };
        return lines::either(BufReader::new(io::stdin()), table, &columns, passed_over);
    }
    let table = Table::new(path, images);
    match ending(path).as_str() {
        "csv" | "tsv" | "tab" => csv_table::open(path, table, &columns),
        "jsonl" | "ndjson" => Ok(lines::json(BufReader::new(File::open(path)?), table, &columns)),
        "parquet" => parquet_table::open(path, table, &columns),
        _ => Ok(lines::list(BufReader::new(File::open(path)?), table, passed_over)),
    }
}

fn failed(path: &Path, error: anyhow::Error) -> Records {
    Box::new(iter::once(Record::failed_path(path, error)))
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn display(path: &Path) -> String {
    if is_stdin(path) { "standard input".into() } else { path.display().to_string() }
}

/// Tar files, gzipped ones and ones that are compressed otherwise, which are told so.
fn is_shard(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.ends_with(".tar")
        || name.ends_with(".tgz")
        || name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with(".tar"))
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn images_are_counted_without_reading_them() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| temporary.path().join(name);
        let path = |name: &str| file(name).to_string_lossy().into_owned();
        fs::create_dir(file("folder")).expect("a folder");
        for name in ["folder/1.png", "folder/2.jpg", "folder/2.txt", "folder/3.heic"] {
            fs::write(file(name), "").expect("writing");
        }
        let mut tar = tar::Builder::new(Vec::new());
        for name in ["1.png", "1.txt", "2.png", "3.png"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            tar.append_data(&mut header, name, &b"abc"[..]).expect("a vector takes all");
        }
        fs::write(file("a.tar"), tar.into_inner().expect("a vector takes all")).expect("writing");
        fs::write(file("a.csv"), "image\n\"data:image/png;base64,?\"\nx\n").expect("writing");
        fs::write(file("a.jsonl"), "{}\n\n{}\n").expect("writing");
        fs::write(file("list.txt"), format!("{}\n{}\n{}\n", path("folder"), path("a.tar"), path("absent.png")))
            .expect("writing");
        fs::write(file("packed.tgz"), [0x1f, 0x8b, 8]).expect("writing");

        let count_of = |paths: &[&str], from: &[&str]| {
            let all = |names: &[&str]| names.iter().map(|name| file(name)).collect();
            count(&InputArgs { paths: all(paths), from: all(from), ..InputArgs::default() })
        };
        assert_eq!(count_of(&["folder", "a.tar", "folder/*.png", "absent.png"], &[]), Some(2 + 3 + 1 + 1));
        assert_eq!(count_of(&[], &["a.csv", "a.jsonl", "list.txt"]), Some(2 + 2 + 2 + 3 + 1));
        assert_eq!(count_of(&["packed.tgz"], &[]), None, "it would have to be unpacked");
    }
}
