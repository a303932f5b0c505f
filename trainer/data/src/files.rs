//! Files and folders that appear under their name only when they are complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::{Builder, NamedTempFile, TempDir};

/// The prefix of the names of incomplete files and folders.
pub const UNFINISHED: &str = ".unfinished-";

/// A file that is being written. It has a temporary name until [`finish`](Self::finish), and is removed if it is
/// dropped before.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use tsp_mgs_data::files::UnfinishedFile;
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let mut file = UnfinishedFile::in_folder(folder)?;
/// file.file().write_all(b"complete")?;
/// file.finish(&folder.join("report.txt"))?;
/// assert_eq!(std::fs::read(folder.join("report.txt"))?, b"complete");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnfinishedFile(NamedTempFile);

impl UnfinishedFile {
    /// Creates a file with a temporary name in `folder`, which must be the folder of the final name.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        Builder::new().prefix(UNFINISHED).tempfile_in(folder).map(Self)
    }

    /// Returns the open file.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Opens the file a second time, for a writer that takes ownership.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn reopen(&self) -> io::Result<File> {
        self.0.reopen()
    }

    /// Renames the file to `path`. An existing file is replaced.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn finish(self, path: &Path) -> io::Result<()> {
        // A temporary file is readable by its owner only, but others may read a result.
        make_readable(self.0.path(), 0o644)?;
        self.0.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Writes a file in one step, and waits until its content is on the disk.
///
/// # Errors
/// Returns an error if the file cannot be written. An existing file is unchanged in this case.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = UnfinishedFile::in_folder(parent(path))?;
        file.file().write_all(bytes)?;
        file.file().sync_all()?;
        file.finish(path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Writes a file in one step like [`write_atomically`], but without waiting for the disk.
///
/// This is for files that can be written again after a power failure.
///
/// # Errors
/// Returns an error if the file cannot be written. An existing file is unchanged in this case.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = UnfinishedFile::in_folder(parent(path))?;
        file.file().write_all(bytes)?;
        file.finish(path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Creates a temporary folder in `parent`, which [`put_in_place`] moves to its final name. Also creates `parent`.
///
/// # Errors
/// Returns an error if the folder cannot be created.
pub fn unfinished_folder(parent: &Path) -> Result<TempDir> {
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    let folder = Builder::new().prefix(UNFINISHED).tempdir_in(parent);
    folder.with_context(|| format!("writing into {}", parent.display()))
}

/// Removes incomplete files and folders that an earlier process left in `folder`.
///
/// # Errors
/// Returns an error if the folder cannot be read, or if an entry cannot be removed.
pub fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Returns the folder of a path, which is `.` for a file name alone.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file, and waits until its content is on the disk.
///
/// # Errors
/// Returns the error of the file system.
pub fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the names in a folder are on the disk. Does nothing on systems other than Unix.
///
/// # Errors
/// Returns the error of the file system.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Moves the folder `staged` to `out`. An existing folder is removed after the new one has its name.
///
/// # Errors
/// Returns an error if the folder cannot be moved. An existing folder is kept and `staged` is removed in this case.
pub fn put_in_place(staged: &Path, out: &Path) -> Result<()> {
    let moved = || -> io::Result<()> {
        // A temporary folder is accessible by its owner only, but others may read or serve a result.
        make_readable(staged, 0o755)?;
        if !out.exists() {
            return fs::rename(staged, out);
        }
        let old = Builder::new().prefix(".replaced-").tempdir_in(parent(out))?.keep();
        fs::rename(out, old.join("old"))?;
        if let Err(error) = fs::rename(staged, out) {
            fs::rename(old.join("old"), out)?;
            fs::remove_dir(&old)?;
            return Err(error);
        }
        fs::remove_dir_all(&old)
    };
    moved().inspect_err(|_| drop(fs::remove_dir_all(staged))).with_context(|| format!("writing {}", out.display()))
}

#[cfg(unix)]
fn make_readable(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn make_readable(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_complete_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        for text in ["one", "two"] {
            write_whole(&path, text.as_bytes()).expect("writing");
            assert_eq!(fs::read_to_string(&path).expect("reading"), text);
        }
        drop(UnfinishedFile::in_folder(folder.path()).expect("writing"));
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn only_unfinished_files_and_folders_of_an_earlier_process_are_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(".unfinished-file"), "half").expect("writing");
        fs::create_dir(folder.path().join(".unfinished-folder")).expect("a folder");
        fs::write(folder.path().join("whole"), "whole").expect("writing");
        remove_unfinished(folder.path()).expect("removing");
        assert_eq!(names(folder.path()), ["whole"]);
    }

    #[test]
    fn a_folder_replaces_an_earlier_one_as_a_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        for name in ["one", "two"] {
            let draft = unfinished_folder(folder.path()).expect("a folder");
            fs::write(draft.path().join(name), name).expect("writing");
            put_in_place(&draft.keep(), &out).expect("moving");
            assert_eq!(names(&out), [name]);
        }
        assert_eq!(names(folder.path()), ["out"]);
    }
}
