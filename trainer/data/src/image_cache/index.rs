//! Which hash an image file had, so that an unchanged file need not be read again.
//!
//! A line of JSON for each file, appended when it is hashed. The last line of a file counts; a line that a
//! killed process left unfinished is passed over, and costs reading that file once more.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, absolute};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const FILE_NAME: &str = "index.jsonl";

/// A file that changed so shortly ago could change again without another time: file systems count in
/// steps of up to two seconds (FAT).
const SETTLED: Duration = Duration::from_secs(2);

/// What tells that a file was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    size: u64,
    modified_ns: u64,
}

/// Hashes of image files by path.
pub struct Index {
    known: HashMap<String, Line>,
    log: File,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
    sha256: String,
}

impl Stamp {
    /// `None` for a file that was changed just now, or without a usable time.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let modified = metadata.modified().ok()?;
        if SystemTime::now().duration_since(modified).ok()? < SETTLED {
            return None;
        }
        let modified_ns = modified.duration_since(UNIX_EPOCH).ok()?.as_nanos().try_into().ok()?;
        Some(Self { size: metadata.len(), modified_ns })
    }
}

impl Index {
    /// Reads the index of a cache folder, and opens it to be added to.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let context = || format!("opening the image cache's index {}", path.display());
        let mut log = OpenOptions::new().create(true).append(true).open(&path).with_context(context)?;
        let text = fs::read(&path).with_context(context)?;
        if text.last().is_some_and(|&byte| byte != b'\n') {
            log.write_all(b"\n").with_context(context)?;
        }
        let lines = text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let known = lines.map(|line| (line.path.clone(), line)).collect();
        Ok(Self { known, log })
    }

    /// The hash of a file, if it is the one that was hashed.
    pub fn get(&self, path: &Path, stamp: Stamp) -> Option<&str> {
        let line = self.known.get(&key(path)?)?;
        (line.stamp == stamp).then_some(line.sha256.as_str())
    }

    /// Remembers the hash of a file; of one whose path is no text it does not.
    pub fn add(&mut self, path: &Path, stamp: Stamp, sha256: &str) -> io::Result<()> {
        let Some(path) = key(path) else { return Ok(()) };
        let line = Line { path: path.clone(), stamp, sha256: sha256.to_owned() };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.known.insert(path, line);
        // One call, so that lines of several processes do not mix.
        self.log.write_all(&text)
    }
}

fn key(path: &Path) -> Option<String> {
    absolute(path).ok()?.into_os_string().into_string().ok()
}
