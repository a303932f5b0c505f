//! Checks that a gallery can be written to a folder.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use glob::Pattern;
use tsp_mgs_data::files::parent;
use walkdir::WalkDir;

use super::assets::{SCRIPTS, SCRIPTS_FOLDER};
use super::page::GENERATOR;
use super::{ICON, PAGE, STYLES, TABLE, THUMBNAILS};
use crate::input::pattern;

/// Checks that `out` is absent or empty, or an earlier gallery that is to be overwritten, and that it lies outside of the
/// images that are scored.
///
/// # Errors
/// Returns an error that names the obstacle otherwise.
pub fn check(out: &Path, is_overwritten: bool, inputs: &[PathBuf]) -> Result<()> {
    check_apart(out, inputs)?;
    if fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    let shown = out.display();
    if !out.is_dir() {
        bail!("{shown} exists and is no folder; pass another --gallery");
    }
    let files = files(out)?;
    if files.is_empty() {
        return Ok(());
    }
    if !fs::read_to_string(out.join(PAGE)).is_ok_and(|page| page.contains(GENERATOR)) {
        bail!("{shown} exists and is no gallery; pass another --gallery");
    }
    if let Some(other) = files.iter().find(|file| !is_of_a_gallery(file)) {
        let other = other.display();
        bail!(
            "{shown} holds {other}, which is no part of its gallery and would be lost; move it, or pass another --gallery"
        );
    }
    if !is_overwritten {
        bail!("{shown} exists; pass --overwrite to replace the gallery, or another --gallery");
    }
    Ok(())
}

/// Checks that the input does not contain the gallery, whose thumbnails would be scored as well.
fn check_apart(out: &Path, inputs: &[PathBuf]) -> Result<()> {
    let place = absolute(out)?;
    for input in inputs {
        if input.exists() && place == absolute(input)? {
            bail!("{} is both an input and the --gallery; pass another --gallery", out.display());
        }
        let is_inside = match pattern(input) {
            Some(pattern) => matches_folder_of(pattern, out)?,
            None => input.is_dir() && place.starts_with(absolute(input)?),
        };
        if is_inside {
            let (out, input) = (out.display(), input.display());
            bail!("{out} lies in {input}, whose images are scored; pass a --gallery outside of it");
        }
    }
    Ok(())
}

/// Returns whether a glob pattern matches `path` or one of the folders that it is in. Each of both may be relative.
fn matches_folder_of(pattern: &str, path: &Path) -> Result<bool> {
    let here = env::current_dir().context("reading the path of the current folder")?;
    let pattern = Path::new(&Pattern::escape(&here.to_string_lossy())).join(pattern);
    // `components` leaves `.` out.
    let pattern: PathBuf = pattern.components().collect();
    let path: PathBuf = here.join(path).components().collect();
    Ok(Pattern::new(&pattern.to_string_lossy())
        .is_ok_and(|pattern| path.ancestors().any(|folder| pattern.matches_path(folder))))
}

/// Returns the absolute path without links, as far as it exists.
fn absolute(path: &Path) -> Result<PathBuf> {
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let folder = parent(path);
    let folder = if folder == path { path.to_owned() } else { absolute(folder)? };
    Ok(path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name)))
}

/// Returns the paths of all files in a folder, relative to the folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        if !entry.file_type().is_dir() {
            files.push(entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned());
        }
    }
    Ok(files)
}

fn is_of_a_gallery(file: &Path) -> bool {
    let is_thumbnail = || {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        file.parent() == Some(Path::new(THUMBNAILS))
            && file.extension().is_some_and(|ending| ending == "jpg")
            && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_script = || SCRIPTS.iter().any(|(path, _)| Path::new(SCRIPTS_FOLDER).join(path) == file);
    [PAGE, TABLE, STYLES, ICON].iter().any(|name| file == Path::new(name)) || is_thumbnail() || is_script()
}
