//! The records of one path: an image, a folder of images, a tar file, or a glob pattern for these.

use std::iter;
use std::path::Path;

use anyhow::anyhow;

use super::images::{SkippedImages, check_file, check_no_address, in_folder};
use super::record::{Record, Records};
use super::tar_file;

/// The extensions of tables. Other files in a folder of tables are skipped.
pub const TABLES: [&str; 6] = ["csv", "tsv", "tab", "jsonl", "ndjson", "parquet"];

/// Returns the number of images of a path, or `None` if this is unknown without reading them.
pub fn count_path(path: &Path) -> Option<u64> {
    if path.is_dir() {
        return Some(in_folder(path, &SkippedImages::default()).count() as u64);
    }
    if path.is_file() {
        return if is_tar_file(path) { tar_file::count(path).ok()? } else { Some(1) };
    }
    match pattern(path) {
        Some(pattern) => glob::glob(pattern).ok()?.flatten().map(|path| count_path(&path)).sum(),
        None => Some(1),
    }
}

/// Returns the text of a path as a glob pattern, if it has a pattern's characters and there is no file of this name.
pub fn pattern(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '[']))
}

/// Returns the records of an image, a folder, a tar file, or a glob pattern for these.
pub fn of_path(path: &Path, skipped: &SkippedImages) -> Records {
    if let Err(error) = check_no_address(&path.to_string_lossy()) {
        return failed(path, error);
    }
    match pattern(path).map(glob::glob) {
        None => of_plain_path(path, skipped),
        Some(Err(error)) => failed(path, anyhow!(error).context("reading the pattern")),
        Some(Ok(found)) => {
            let mut found = found.peekable();
            if found.peek().is_none() {
                return failed(path, anyhow!("no file matches this pattern"));
            }
            let skipped = skipped.clone();
            Box::new(found.flat_map(move |found| match found {
                Ok(path) => of_plain_path(&path, &skipped),
                Err(error) => failed(error.path(), anyhow!("{}", error.error())),
            }))
        }
    }
}

fn of_plain_path(path: &Path, skipped: &SkippedImages) -> Records {
    if path.is_dir() {
        return Box::new(in_folder(path, skipped).map(|(path, found)| match found {
            Ok(()) => Record::file(path),
            Err(error) => Record::failed_path(&path, error),
        }));
    }
    // A file that is named explicitly is scored even if its extension is not one of an image.
    match check_file(path) {
        Ok(()) if is_tar_file(path) => tar_file::records(path, skipped),
        Ok(()) if TABLES.contains(&extension(path).as_str()) => {
            failed(path, anyhow!("this is a table; pass it as --from {}", path.display()))
        }
        Ok(()) => Box::new(iter::once(Record::file(path.to_owned()))),
        Err(error) => failed(path, error),
    }
}

/// Returns one record with an error, for a path that cannot be read.
pub fn failed(path: &Path, error: anyhow::Error) -> Records {
    Box::new(iter::once(Record::failed_path(path, error)))
}

/// Returns whether a path is a tar file, compressed or not. Reading one with an unsupported compression gives an error.
fn is_tar_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.ends_with(".tar")
        || name.ends_with(".tgz")
        || name.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with(".tar"))
}

/// Returns the extension of a file in lower case, without the dot.
pub fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}
