//! Which images, and which prompt belongs to each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::result::FoundPrompt;
use walkdir::WalkDir;

/// Endings of the formats that are decoded; in a folder, other files are passed over.
const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "jfif"];

/// Windows editors put it before a text; it is no part of the prompt.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Lists the images under `paths`: files as given, folders searched through, in the order of their names.
///
/// What cannot be read stays in the list as an error, so that it gets its row.
///
/// # Errors
/// When there is neither an image nor an error to report.
pub fn list(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Result<()>)>> {
    let mut images = Vec::new();
    for path in paths {
        if !path.is_dir() {
            // A file that was named is scored, whatever its ending.
            images.push((path.clone(), check_file(path)));
            continue;
        }
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() && is_image(entry.path()) => {
                    images.push((entry.into_path(), Ok(())));
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(path).to_owned();
                    images.push((path, Err(error.into())));
                }
            }
        }
    }
    if images.is_empty() {
        bail!("no image in {}; expected files ending in {}", display_all(paths), EXTENSIONS.join(", "));
    }
    Ok(images)
}

/// A pipe would be waited for, a device read without end.
fn check_file(path: &Path) -> Result<()> {
    if !fs::metadata(path).context("opening the file")?.is_file() {
        bail!("neither a file nor a folder");
    }
    Ok(())
}

/// The prompt of an image: the argument, else the file NAME.txt beside it, else its own metadata.
///
/// # Errors
/// For a sidecar file that is there but cannot be read as text.
pub fn prompt(argument: Option<&str>, path: &Path, bytes: &[u8]) -> Result<Option<FoundPrompt>> {
    if let Some(text) = argument {
        return Ok(Some(FoundPrompt { text: text.to_owned(), source: "argument" }));
    }
    let sidecar = path.with_extension("txt");
    if sidecar != path && sidecar.is_file() {
        let text = fs::read_to_string(&sidecar).with_context(|| format!("reading the prompt {}", sidecar.display()))?;
        let text = text.trim_start_matches(BYTE_ORDER_MARK).trim().to_owned();
        return Ok(Some(FoundPrompt { text, source: "sidecar" }));
    }
    Ok(embedded_prompt(bytes).map(|found| FoundPrompt { text: found.text, source: found.source.as_str() }))
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn display_all(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
