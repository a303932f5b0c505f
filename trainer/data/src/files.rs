//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::{Builder, NamedTempFile, TempDir};

/// How names of files and folders begin that are not whole yet.
pub const UNFINISHED: &str = ".unfinished-";

/// A file that is being written: it has another name until it is whole, and is removed if it never gets its own.
pub struct UnfinishedFile(NamedTempFile);

impl UnfinishedFile {
    /// A new file in the folder where it will stand.
    ///
    /// # Errors
    /// As the file system's.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        Builder::new().prefix(UNFINISHED).tempfile_in(folder).map(Self)
    }

    /// The file, to be written to.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// A handle of its own, for a writer that owns its file.
    ///
    /// # Errors
    /// As the file system's.
    pub fn reopen(&self) -> io::Result<File> {
        self.0.reopen()
    }

    /// Gives the file its name; an older one of that name is replaced.
    ///
    /// # Errors
    /// As the file system's.
    pub fn finish(self, path: &Path) -> io::Result<()> {
        // A temporary file is for its owner alone; a result is to be read.
        make_readable(self.0.path(), 0o644)?;
        self.0.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Writes a file, waits until the disk has it, and puts it in place of the old one.
///
/// # Errors
/// When it cannot be written; then the old file stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = UnfinishedFile::in_folder(parent(path))?;
        file.file().write_all(bytes)?;
        file.file().sync_all()?;
        file.finish(path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// As [`write_atomically`], without waiting for the disk: for what can be made again after a power failure.
///
/// # Errors
/// When it cannot be written; then the old file stays as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = UnfinishedFile::in_folder(parent(path))?;
        file.file().write_all(bytes)?;
        file.finish(path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// A folder to be filled and then put in place by [`put_in_place`]; the folder that it stands in is made.
///
/// # Errors
/// When it cannot be made.
pub fn unfinished_folder(parent: &Path) -> Result<TempDir> {
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    let folder = Builder::new().prefix(UNFINISHED).tempdir_in(parent);
    folder.with_context(|| format!("writing into {}", parent.display()))
}

/// Removes files and folders that an earlier process left unfinished in a folder.
///
/// # Errors
/// When the folder cannot be read, or something in it cannot be removed.
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

/// The folder that a path stands in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a new file and waits until the disk has it.
///
/// # Errors
/// As the file system's.
pub fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the disk has the names in a folder.
///
/// # Errors
/// As the file system's.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Moves a finished folder to its place; an earlier one is removed only once the new one stands there.
///
/// # Errors
/// When it cannot be moved; then the earlier one stays, and the finished one is removed.
pub fn put_in_place(staged: &Path, out: &Path) -> Result<()> {
    let moved = || -> io::Result<()> {
        // A temporary folder is for its owner alone; a result is to be read and served.
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
    fn a_file_has_its_name_once_it_is_whole_and_no_other_is_left() {
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
    fn what_an_earlier_process_left_unfinished_is_removed_and_nothing_else() {
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
