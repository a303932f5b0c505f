//! Which images, and which prompt belongs to each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tsp_mgs_core::metadata::{embedded_prompt, parse_json};
use tsp_mgs_core::result::FoundPrompt;
use walkdir::WalkDir;

/// Endings of the formats that are decoded; in a folder, other files are passed over.
pub const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "jfif"];

/// Endings of images in formats that are not decoded.
const NOT_DECODED: [&str; 30] = [
    "avif", "heic", "heif", "jxl", "jp2", "j2k", "psd", "svg", "tga", "ico", "exr", "hdr", "ppm", "pgm", "pnm", "qoi",
    "dds", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "pef", "srw", "x3f", "eps", "pdf",
];

/// Finds the prompt in a file's bytes.
type ReadPrompt = fn(Vec<u8>) -> Result<Option<FoundPrompt>>;

/// Files beside NAME.png that hold its prompt, the first that does: endings in capitals where the system tells them apart.
const SIDECARS: [(&str, ReadPrompt); 4] = [
    ("txt", |bytes| sidecar_prompt(bytes).map(Some)),
    ("TXT", |bytes| sidecar_prompt(bytes).map(Some)),
    ("json", json_prompt),
    ("JSON", json_prompt),
];

/// Where the prompt stands in a JSON file beside an image; the first that is there.
const PROMPT_KEYS: [&str; 3] = ["prompt", "caption", "text"];

/// Windows editors put it before a text; it is no part of the prompt.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Images that were passed over since their format is not decoded, by their endings.
#[derive(Clone, Default)]
pub struct PassedOver(Arc<Mutex<BTreeMap<String, u64>>>);

impl PassedOver {
    /// Counts a file if it is such an image.
    pub fn see(&self, path: &Path) {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if NOT_DECODED.contains(&ending.as_str()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(ending).or_default() += 1;
        }
    }

    /// How many there were, for people; `None` if there was none.
    pub fn note(&self) -> Option<String> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds: Vec<String> = counts.iter().map(|(ending, files)| format!("{files} .{ending}")).collect();
        let files: u64 = counts.values().sum();
        (files > 0).then(|| {
            format!(
                "{files} {} passed over, in formats that are not read: {}; save them as PNG to score them",
                if files == 1 { "file was" } else { "files were" },
                kinds.join(", ")
            )
        })
    }
}

/// The images below a folder, in the order of their names, found as they are asked for.
///
/// What cannot be read comes as an error with its path, so that it gets its row.
pub fn in_folder(
    folder: &Path,
    passed_over: &PassedOver,
) -> impl Iterator<Item = (PathBuf, Result<()>)> + Send + use<> {
    let (folder, passed_over) = (folder.to_owned(), passed_over.clone());
    WalkDir::new(&folder).follow_links(true).sort_by_file_name().into_iter().filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_file() && is_image(entry.path()) => Some((entry.into_path(), Ok(()))),
        Ok(entry) => {
            if entry.file_type().is_file() {
                passed_over.see(entry.path());
            }
            None
        }
        Err(error) => Some((error.path().unwrap_or(&folder).to_owned(), Err(error.into()))),
    })
}

/// Whether a text that should be a path is the address of an image somewhere else.
///
/// # Errors
/// Says what to do when it is.
pub fn check_no_address(text: &str) -> Result<()> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme).unwrap_or_default();
    // Windows has drives of one letter.
    if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        bail!("an address, and images are not fetched from addresses: download them, and give their paths");
    }
    Ok(())
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

/// The prompt of an image: that of a file beside it, else its own metadata's.
///
/// # Errors
/// For a file beside it that cannot be read as what its ending says.
pub fn prompt(path: Option<&Path>, bytes: &[u8]) -> Result<Option<FoundPrompt>> {
    if let Some(found) = path.map(beside).transpose()?.flatten() {
        return Ok(Some(found));
    }
    Ok(embedded_prompt(bytes).map(|found| FoundPrompt { text: found.text, source: found.source.as_str() }))
}

/// The prompt in a file beside an image: NAME.txt, or NAME.json if that has one.
fn beside(image: &Path) -> Result<Option<FoundPrompt>> {
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

/// The prompt in a text file's bytes.
///
/// # Errors
/// For bytes that are no text.
pub fn sidecar_prompt(bytes: Vec<u8>) -> Result<FoundPrompt> {
    let text = sidecar_text(bytes)?.trim().to_owned();
    Ok(FoundPrompt { text, source: "sidecar" })
}

/// The prompt in a JSON file's bytes; `None` when it is about something else.
///
/// # Errors
/// For bytes that are no JSON.
pub fn json_prompt(bytes: Vec<u8>) -> Result<Option<FoundPrompt>> {
    let value: Value = parse_json(&sidecar_text(bytes)?).context("expected JSON")?;
    let text = PROMPT_KEYS.iter().find_map(|&key| value.get(key)?.as_str());
    Ok(text.map(|text| FoundPrompt { text: text.trim().to_owned(), source: "sidecar" }))
}

fn sidecar_text(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("expected UTF-8, found other bytes"))?;
    Ok(text.trim_start_matches(BYTE_ORDER_MARK).to_owned())
}

/// Whether a file of this name would be decoded.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
