//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file under another name, flushes it, and puts it in place of the old one.
///
/// # Errors
/// When it cannot be written; then the old file stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".unfinished-").tempfile_in(parent(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        make_readable(file.path(), 0o644)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
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
        let old = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent(out))?.keep();
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

/// Gives a file or folder that was made as a temporary one the permissions of a result.
///
/// # Errors
/// As the file system's.
#[cfg(unix)]
pub fn make_readable(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Does nothing, as permissions here are those of the folder.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn make_readable(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
