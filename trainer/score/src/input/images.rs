//! Finds image files in folders, and the prompt of each image.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tsp_mgs_core::metadata::{embedded_prompt, parse_json};
use tsp_mgs_core::result::FoundPrompt;
use walkdir::WalkDir;

/// The extensions of the formats that are decoded. Other files in a folder are skipped.
pub const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "jfif"];

/// The extensions of image formats that are not supported.
const UNSUPPORTED: [&str; 30] = [
    "avif", "heic", "heif", "jxl", "jp2", "j2k", "psd", "svg", "tga", "ico", "exr", "hdr", "ppm", "pgm", "pnm", "qoi",
    "dds", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "pef", "srw", "x3f", "eps", "pdf",
];

/// A function that finds the prompt in the content of a file.
type ReadPrompt = fn(Vec<u8>) -> Result<Option<FoundPrompt>>;

/// The extensions of the files beside an image that may have its prompt, and how to read them. The first file with a
/// prompt is used. Extensions in capitals matter on file systems that distinguish case.
const SIDECARS: [(&str, ReadPrompt); 4] = [
    ("txt", |bytes| sidecar_prompt(bytes).map(Some)),
    ("TXT", |bytes| sidecar_prompt(bytes).map(Some)),
    ("json", json_prompt),
    ("JSON", json_prompt),
];

/// The keys of the prompt in a JSON file beside an image. The first key that exists is used.
const PROMPT_KEYS: [&str; 3] = ["prompt", "caption", "text"];

/// Some editors on Windows write it at the start of a text file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Counts, by extension, the image files that were skipped because their format is not supported.
#[derive(Clone, Default)]
pub struct SkippedImages(Arc<Mutex<BTreeMap<String, u64>>>);

impl SkippedImages {
    /// Counts a file if it is an image in a format that is not supported.
    pub fn count(&self, path: &Path) {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if UNSUPPORTED.contains(&ending.as_str()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(ending).or_default() += 1;
        }
    }

    /// Returns a note with the number of skipped images, or `None` if there were none.
    pub fn note(&self) -> Option<String> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds: Vec<String> = counts.iter().map(|(ending, files)| format!("{files} .{ending}")).collect();
        let files: u64 = counts.values().sum();
        (files > 0).then(|| {
            format!(
                "{files} {} skipped, because the format is not supported: {}; save them as PNG",
                if files == 1 { "image was" } else { "images were" },
                kinds.join(", ")
            )
        })
    }
}

/// Returns the images in a folder and its subfolders, in the order of their names.
///
/// The folder is read while the iterator advances. A file or folder that cannot be read gives an error with its path,
/// so that it gets a row in the results.
pub fn in_folder(folder: &Path, skipped: &SkippedImages) -> impl Iterator<Item = (PathBuf, Result<()>)> + Send + use<> {
    let (folder, skipped) = (folder.to_owned(), skipped.clone());
    WalkDir::new(&folder).follow_links(true).sort_by_file_name().into_iter().filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_file() && is_image(entry.path()) => Some((entry.into_path(), Ok(()))),
        Ok(entry) => {
            if entry.file_type().is_file() {
                skipped.count(entry.path());
            }
            None
        }
        Err(error) => Some((error.path().unwrap_or(&folder).to_owned(), Err(error.into()))),
    })
}

/// Checks that a text is a path and not a URL.
///
/// # Errors
/// Returns an error that says what to do if the text is a URL.
pub fn check_no_address(text: &str) -> Result<()> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme).unwrap_or_default();
    // A scheme of one letter is a drive of Windows.
    if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        bail!("this is a URL, and images are not downloaded; download the image and pass its path");
    }
    Ok(())
}

/// Checks that a path is a regular file. Reading a pipe would block, and reading a device might never end.
///
/// # Errors
/// Returns an error if the path is not a regular file, or does not exist.
pub fn check_file(path: &Path) -> Result<()> {
    if !fs::metadata(path).context("opening the file")?.is_file() {
        bail!("this is neither a file nor a folder");
    }
    Ok(())
}

/// Returns the prompt of an image from a file beside it, or else from the metadata in the image.
///
/// # Errors
/// Returns an error if a file beside the image cannot be read, or does not have the format that its extension says.
pub fn prompt(path: Option<&Path>, bytes: &[u8]) -> Result<Option<FoundPrompt>> {
    if let Some(found) = path.map(sidecar).transpose()?.flatten() {
        return Ok(Some(found));
    }
    Ok(embedded_prompt(bytes).map(|found| FoundPrompt { text: found.text, source: found.source.as_str() }))
}

/// Returns the prompt from a file beside an image: `NAME.txt`, or else `NAME.json`.
fn sidecar(image: &Path) -> Result<Option<FoundPrompt>> {
    for (ending, read) in SIDECARS {
        let sidecar = image.with_extension(ending);
        if sidecar != image && sidecar.is_file() {
            let context = || format!("reading the prompt {}", sidecar.display());
            let found = read(fs::read(&sidecar).with_context(context)?).with_context(context)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// Returns the prompt from the content of a text file.
///
/// # Errors
/// Returns an error if the content is not UTF-8.
pub fn sidecar_prompt(bytes: Vec<u8>) -> Result<FoundPrompt> {
    let text = sidecar_text(bytes)?.trim().to_owned();
    Ok(FoundPrompt { text, source: "sidecar" })
}

/// Returns the prompt from the content of a JSON file, or `None` if it has none of the keys of a prompt.
///
/// # Errors
/// Returns an error if the content is not JSON.
pub fn json_prompt(bytes: Vec<u8>) -> Result<Option<FoundPrompt>> {
    let value: Value = parse_json(&sidecar_text(bytes)?).context("expected JSON")?;
    let text = PROMPT_KEYS.iter().find_map(|&key| value.get(key)?.as_str());
    Ok(text.map(|text| FoundPrompt { text: text.trim().to_owned(), source: "sidecar" }))
}

fn sidecar_text(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("expected UTF-8, found other bytes"))?;
    Ok(text.trim_start_matches(BYTE_ORDER_MARK).to_owned())
}

/// Returns whether the extension of a path is one of [`EXTENSIONS`].
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
