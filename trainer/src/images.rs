//! Which images, and which prompt belongs to each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tsp_mgs_core::metadata::embedded_prompt;
use walkdir::WalkDir;

/// Endings of the formats that are decoded; in a folder, other files are passed over.
const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "jfif"];

/// A prompt and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPrompt {
    /// The text.
    pub text: String,
    /// "argument", "sidecar", or the kind of metadata.
    pub source: &'static str,
}

/// Lists the images under `paths`: files as given, folders searched through, in the order of their names.
///
/// # Errors
/// For a path that does not exist, a folder that cannot be read, or when there is no image at all.
pub fn list(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    for path in paths {
        if !path.is_dir() {
            // A file that was named is scored, or gets an error row, whatever its ending.
            fs::symlink_metadata(path).with_context(|| format!("{}", path.display()))?;
            images.push(path.clone());
            continue;
        }
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = entry.with_context(|| format!("searching {}", path.display()))?;
            if entry.file_type().is_file() && is_image(entry.path()) {
                images.push(entry.into_path());
            }
        }
    }
    if images.is_empty() {
        bail!("no image in {}; expected files ending in {}", display_all(paths), EXTENSIONS.join(", "));
    }
    Ok(images)
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
        return Ok(Some(FoundPrompt { text: text.trim().to_owned(), source: "sidecar" }));
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
