//! Which images, and which prompt belongs to each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::result::FoundPrompt;
use walkdir::WalkDir;

/// Endings of the formats that are decoded; in a folder, other files are passed over.
pub const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "jfif"];

/// Windows editors put it before a text; it is no part of the prompt.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The images below a folder, in the order of their names, found as they are asked for.
///
/// What cannot be read comes as an error with its path, so that it gets its row.
pub fn in_folder(folder: &Path) -> impl Iterator<Item = (PathBuf, Result<()>)> + Send + use<> {
    let folder = folder.to_owned();
    WalkDir::new(&folder).follow_links(true).sort_by_file_name().into_iter().filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_file() && is_image(entry.path()) => Some((entry.into_path(), Ok(()))),
        Ok(_) => None,
        Err(error) => Some((error.path().unwrap_or(&folder).to_owned(), Err(error.into()))),
    })
}

/// A pipe would be waited for, a device read without end.
///
/// # Errors
/// When it is no file, or cannot be opened.
pub fn check_file(path: &Path) -> Result<()> {
    if !fs::metadata(path).context("opening the file")?.is_file() {
        bail!("neither a file nor a folder");
    }
    Ok(())
}

/// The prompt of an image: the text of the file NAME.txt beside it, else its own metadata's.
///
/// # Errors
/// For a sidecar file that is there but cannot be read as text.
pub fn prompt(path: Option<&Path>, bytes: &[u8]) -> Result<Option<FoundPrompt>> {
    if let Some(path) = path {
        let sidecar = path.with_extension("txt");
        if sidecar != path && sidecar.is_file() {
            let context = || format!("reading the prompt {}", sidecar.display());
            return Ok(Some(sidecar_prompt(fs::read(&sidecar).with_context(context)?).with_context(context)?));
        }
    }
    Ok(embedded_prompt(bytes).map(|found| FoundPrompt { text: found.text, source: found.source.as_str() }))
}

/// The prompt in a text file's bytes.
///
/// # Errors
/// For bytes that are no text.
pub fn sidecar_prompt(bytes: Vec<u8>) -> Result<FoundPrompt> {
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("expected UTF-8, found other bytes"))?;
    let text = text.trim_start_matches(BYTE_ORDER_MARK).trim().to_owned();
    Ok(FoundPrompt { text, source: "sidecar" })
}

/// Whether a file of this name would be decoded.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
