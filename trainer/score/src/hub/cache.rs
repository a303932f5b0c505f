//! A model's folder in the cache, in the layout of `huggingface_hub`:
//!
//! ```text
//! models--ORG--NAME/refs/main                          the commit that a branch or tag stood at
//! models--ORG--NAME/blobs/ETAG                         a file, called by its hash
//! models--ORG--NAME/snapshots/COMMIT/model.safetensors → ../../blobs/ETAG
//! .locks/models--ORG--NAME/ETAG.lock                   held while ETAG is fetched
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::name::{Name, is_commit};
use tsp_mgs_data::files::{parent, write_atomically};

/// What there is of one model.
pub struct Repository {
    folder: PathBuf,
    locks: PathBuf,
}

impl Repository {
    /// The folder of a model, whether or not it is there.
    pub fn new(cache: &Path, name: &Name) -> Self {
        let folder = format!("models--{}", name.id.replace('/', "--"));
        Self { locks: cache.join(".locks").join(&folder), folder: cache.join(folder) }
    }

    /// The model's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of a commit.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Where the file of this hash stands.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// The commit that a revision was at when it was last asked for.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// The commits of which something is there.
    pub fn commits(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.join("snapshots")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut commits: Vec<String> = names.filter(|name| is_commit(name)).collect();
        commits.sort();
        commits
    }

    /// The names of a commit's files that are there.
    pub fn files(&self, commit: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.snapshot(commit)) else { return Vec::new() };
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        files.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Notes which commit a revision is at. Nothing is written where it stands there already: the cache may be read-only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        make_folder(parent(&path))?;
        write_atomically(&path, commit.as_bytes())
    }

    /// Has a file of a commit lead to its content, by a link, or by a copy where the file system has no links.
    ///
    /// # Errors
    /// When neither can be written.
    pub fn link(&self, commit: &str, file: &str, etag: &str) -> Result<()> {
        let path = self.snapshot(commit).join(file);
        make_folder(parent(&path))?;
        if path.exists() {
            return Ok(());
        }
        // A link that leads nowhere: its content was removed.
        if path.is_symlink() {
            fs::remove_file(&path).with_context(|| format!("replacing {}", path.display()))?;
        }
        let place = || match link(&Path::new("../../blobs").join(etag), &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(_) => fs::copy(self.blob(etag), &path).map(drop),
            Ok(()) => Ok(()),
        };
        place().with_context(|| format!("writing {}", path.display()))
    }

    /// Waits until no other process fetches the file of this hash; others wait until the lock is dropped. `waiting` runs
    /// before a wait.
    ///
    /// # Errors
    /// When the lock's file cannot be written.
    pub fn lock(&self, etag: &str, waiting: impl FnOnce()) -> Result<File> {
        make_folder(&self.locks)?;
        let path = self.locks.join(format!("{etag}.lock"));
        let lock = File::options().create(true).append(true).open(&path).map_err(|error| cannot_write(&path, error))?;
        let locked = match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                waiting();
                lock.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        match locked {
            // Some network file systems have no locks: then two processes may fetch the same file, whose hash is checked.
            Err(error) if error.kind() != ErrorKind::Unsupported => Err(cannot_write(&path, error)),
            _ => Ok(lock),
        }
    }
}

/// Makes a folder of the cache.
///
/// # Errors
/// When it cannot be made; says which folder to set instead.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))
}

/// What to do about a cache that cannot be written.
pub fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room and repeat the command, which goes on where it stopped; or set HF_HUB_CACHE to a folder on another disk"
        }
        _ => "set HF_HUB_CACHE to a folder that can be written",
    };
    anyhow!("writing {}: {error}; {advice}", path.display())
}

#[cfg(unix)]
fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target.components().collect::<PathBuf>(), link)
}
