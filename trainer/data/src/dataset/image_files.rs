//! Finds the image file of a name in a table.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// An index of the files in a folder and its subfolders.
pub(crate) struct ImageFiles {
    root: PathBuf,
    /// Whether the user chose the folder. The file at exactly `root/name` then takes precedence.
    is_chosen: bool,
    by_name: HashMap<OsString, Vec<PathBuf>>,
}

/// The error of a search for a file.
pub(crate) enum FindError {
    /// There is no file of this name.
    Missing,
    /// There are several files of this name.
    Ambiguous(Vec<PathBuf>),
}

impl ImageFiles {
    /// Lists the files in a folder that the user chose.
    pub fn in_chosen_folder(root: &Path) -> Result<Self> {
        Ok(Self { is_chosen: true, ..Self::in_folder(root)? })
    }

    /// Lists the files in a folder and its subfolders.
    pub fn in_folder(root: &Path) -> Result<Self> {
        // `read_dir` does not accept an empty path for the current folder.
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        fs::read_dir(root).with_context(|| format!("looking for images in {}", root.display()))?;
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        // Unreadable folders are skipped. An image in one is reported as missing, with the line of its row.
        for entry in WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() {
                by_name.entry(entry.file_name().to_owned()).or_default().push(entry.into_path());
            }
        }
        Ok(Self { root: root.to_owned(), is_chosen: false, by_name })
    }

    /// Returns the file of a name, which may start with folders.
    ///
    /// # Errors
    /// Returns an error if there is no such file, or more than one.
    pub fn find(&self, name: &str) -> Result<PathBuf, FindError> {
        let path = Path::new(name);
        let is_plain = path.components().all(|component| matches!(component, Component::Normal(_)));
        let exact = self.root.join(path);
        if (self.is_chosen || !is_plain) && exact.is_file() {
            return Ok(exact);
        }
        let same_name = self.by_name.get(path.file_name().unwrap_or(OsStr::new("")));
        let found: Vec<&PathBuf> = same_name.into_iter().flatten().filter(|file| file.ends_with(path)).collect();
        match found.as_slice() {
            [] => Err(FindError::Missing),
            [file] => Ok((*file).clone()),
            _ => Err(FindError::Ambiguous(found.into_iter().cloned().collect())),
        }
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
