//! An index of the hashes of images, so that an unchanged file is not read again.
//!
//! The index is a file with JSON lines. A line is appended when an image is hashed. If a path has several lines,
//! the last one counts. An incomplete line of a killed process is ignored.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, absolute};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::dataset::ImageSource;

const FILE_NAME: &str = "index.jsonl";

/// The minimum age of a modification time that identifies a content.
///
/// The resolution of modification times is up to two seconds (FAT). A file that was changed more recently could change
/// again without a new time.
const MIN_AGE: Duration = Duration::from_secs(2);

/// The size and modification time of a file, by which a change is detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    size: u64,
    modified_ns: u64,
}

/// The hashes of image files by path.
pub struct Index {
    known: HashMap<String, IndexEntry>,
    log: File,
}

#[derive(Serialize, Deserialize)]
struct IndexEntry {
    path: String,
    #[serde(flatten)]
    stamp: FileStamp,
    sha256: String,
}

impl FileStamp {
    /// Returns the size and time of a file, or `None` if the file was changed within the last two seconds.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let modified = metadata.modified().ok()?;
        if SystemTime::now().duration_since(modified).ok()? < MIN_AGE {
            return None;
        }
        let modified_ns = modified.duration_since(UNIX_EPOCH).ok()?.as_nanos().try_into().ok()?;
        Some(Self { size: metadata.len(), modified_ns })
    }
}

impl Index {
    /// Reads the index of a cache folder, and opens it for appending.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let context = || format!("opening the image cache's index {}", path.display());
        let mut log = OpenOptions::new().create(true).append(true).open(&path).with_context(context)?;
        let text = fs::read(&path).with_context(context)?;
        if text.last().is_some_and(|&byte| byte != b'\n') {
            log.write_all(b"\n").with_context(context)?;
        }
        let entries =
            text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<IndexEntry>(line).ok());
        let known = entries.map(|entry| (entry.path.clone(), entry)).collect();
        Ok(Self { known, log })
    }

    /// Returns the hash of an image, if it is known and its file is unchanged.
    pub fn get(&self, source: &ImageSource, stamp: FileStamp) -> Option<&str> {
        let entry = self.known.get(&key(source)?)?;
        (entry.stamp == stamp).then_some(entry.sha256.as_str())
    }

    /// Stores the hash of an image. A path that is not UTF-8 is ignored.
    pub fn add(&mut self, source: &ImageSource, stamp: FileStamp, sha256: &str) -> io::Result<()> {
        let Some(path) = key(source) else { return Ok(()) };
        let entry = IndexEntry { path: path.clone(), stamp, sha256: sha256.to_owned() };
        let mut text = serde_json::to_vec(&entry)?;
        text.push(b'\n');
        self.known.insert(path, entry);
        // A line is written by one call, so that lines of several processes do not mix.
        self.log.write_all(&text)
    }
}

/// Returns the absolute path of an image. For one in a Parquet file, column and row follow it.
fn key(source: &ImageSource) -> Option<String> {
    let path = absolute(source.path()).ok()?.into_os_string().into_string().ok()?;
    Some(match source {
        ImageSource::File(_) => path,
        ImageSource::Cell { column, row, .. } => format!("{path}#{column}#{row}"),
    })
}
