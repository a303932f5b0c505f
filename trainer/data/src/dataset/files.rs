//! Which file is meant by a name in a table.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// The files below a folder; they are not opened.
pub(crate) struct Files {
    root: PathBuf,
    /// Whether the folder was named, so that a file right at its place goes before others.
    is_named: bool,
    by_name: HashMap<OsString, Vec<PathBuf>>,
}

/// Why there is no one file of a name.
pub(crate) enum NoFile {
    Missing,
    Ambiguous(Vec<PathBuf>),
}

impl Files {
    /// Lists the files below a folder that the user named.
    pub fn below_named(root: &Path) -> Result<Self> {
        Ok(Self { is_named: true, ..Self::below(root)? })
    }

    /// Lists the files below a folder.
    pub fn below(root: &Path) -> Result<Self> {
        // An empty path is the folder we are in, which only `read_dir` does not know.
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        fs::read_dir(root).with_context(|| format!("looking for images below {}", root.display()))?;
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        // What cannot be read is no image: it shows as missing, with its line, if a row asks for it.
        for entry in WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() {
                by_name.entry(entry.file_name().to_owned()).or_default().push(entry.into_path());
            }
        }
        Ok(Self { root: root.to_owned(), is_named: false, by_name })
    }

    /// The file of a name, which may have folders before it.
    pub fn find(&self, name: &str) -> Result<PathBuf, NoFile> {
        let path = Path::new(name);
        let is_plain = path.components().all(|component| matches!(component, Component::Normal(_)));
        let exact = self.root.join(path);
        if (self.is_named || !is_plain) && exact.is_file() {
            return Ok(exact);
        }
        let of_name = self.by_name.get(path.file_name().unwrap_or(OsStr::new("")));
        let found: Vec<&PathBuf> = of_name.into_iter().flatten().filter(|file| file.ends_with(path)).collect();
        match found.as_slice() {
            [] => Err(NoFile::Missing),
            [file] => Ok((*file).clone()),
            _ => Err(NoFile::Ambiguous(found.into_iter().cloned().collect())),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
