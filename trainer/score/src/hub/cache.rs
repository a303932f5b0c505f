//! A model's folder in the cache, in the layout of `huggingface_hub`:
//!
//! ```text
//! models--ORG--NAME/refs/main                          the last known commit of a branch or tag
//! models--ORG--NAME/blobs/ETAG                         the content of a file, named by its hash
//! models--ORG--NAME/snapshots/COMMIT/model.safetensors → ../../blobs/ETAG
//! .locks/models--ORG--NAME/ETAG.lock                   locked while ETAG is fetched
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::name::{Name, is_commit};
use tsp_mgs_data::files::{parent, write_atomically};

/// The folder of one model in the cache.
pub struct Repository {
    folder: PathBuf,
    locks: PathBuf,
}

impl Repository {
    /// Returns the folder of a model, which need not exist.
    pub fn new(cache: &Path, name: &Name) -> Self {
        let folder = format!("models--{}", name.id.replace('/', "--"));
        Self { locks: cache.join(".locks").join(&folder), folder: cache.join(folder) }
    }

    /// Returns the path of the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder with the files of a commit.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Returns the path of the content with this hash.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Returns the commit of a revision when the hub was last asked for it.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Returns all commits that have files in the cache, in the order of their hashes.
    pub fn commits(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.join("snapshots")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut commits: Vec<String> = names.filter(|name| is_commit(name)).collect();
        commits.sort();
        commits
    }

    /// Returns the names of a commit's files in the cache.
    pub fn files(&self, commit: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.snapshot(commit)) else { return Vec::new() };
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        files.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Stores the commit of a revision. Writes nothing if it is unchanged, because the cache may be read-only.
    ///
    /// # Errors
    /// Returns an error if the commit cannot be written.
    pub fn set_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        make_folder(parent(&path))?;
        write_atomically(&path, commit.as_bytes())
    }

    /// Links a file of a commit to its content, or copies the content if the file system has no links.
    ///
    /// # Errors
    /// Returns an error if neither the link nor the copy can be written.
    pub fn link(&self, commit: &str, file: &str, etag: &str) -> Result<()> {
        let path = self.snapshot(commit).join(file);
        make_folder(parent(&path))?;
        if path.exists() {
            return Ok(());
        }
        // The content of an existing link was removed.
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

    /// Locks the content with this hash, until the returned file is dropped.
    ///
    /// If another process has the lock, calls `waiting` and then waits.
    ///
    /// # Errors
    /// Returns an error if the file of the lock cannot be written.
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
            // Some network file systems have no locks. Two processes may then fetch the same file, whose hash is
            // checked.
            Err(error) if error.kind() != ErrorKind::Unsupported => Err(cannot_write(&path, error)),
            _ => Ok(lock),
        }
    }
}

/// Creates a folder of the cache.
///
/// # Errors
/// Returns an error with advice if the folder cannot be created.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))
}

/// Returns an error with advice for a cache that cannot be written.
pub fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free disk space and repeat the command, which resumes the download; or set HF_HUB_CACHE to a folder on another disk"
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
