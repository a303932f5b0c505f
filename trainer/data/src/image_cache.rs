//! Decoded images on disk, so that an epoch copies pixels instead of decoding files.
//!
//! A folder with one file an image: a header and the pixels that [`Enlarged`] keeps. Entries are named by
//! the SHA-256 of the image file's bytes and by the preprocessing, so that equal images share one, and a
//! changed image gets a new one. They are written under another name first and never changed.

mod entry;
mod index;

use std::fs;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::available_parallelism;

use anyhow::{Context, Result, anyhow, bail};
use entry::{HEADER_BYTES, entry_path};
use image::ImageReader;
use index::{Index, Stamp};
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::preprocess::{Enlarged, decode, kept_size};

use crate::parallel::in_parallel;
use crate::progress::progress_bar;

pub use entry::MappedImage;

/// A folder of decoded images.
pub struct ImageCache {
    folder: PathBuf,
}

/// An image file with an entry in the cache.
#[derive(Clone, Debug)]
pub struct CachedImage {
    /// The image file, as it was listed.
    pub path: PathBuf,
    /// SHA-256 of the file's bytes in hexadecimal.
    pub sha256: String,
    /// Where its pixels are kept.
    pub entry: PathBuf,
}

/// Why an image is not in the cache.
enum Problem {
    /// It cannot be read or decoded; others may.
    Image(anyhow::Error),
    /// The cache cannot be written.
    Cache(io::Error),
}

impl CachedImage {
    /// Maps the pixels into memory.
    ///
    /// # Errors
    /// For an entry that was removed or damaged since the cache was filled.
    pub fn map(&self) -> Result<MappedImage> {
        MappedImage::open(&self.entry).with_context(|| {
            let entry = self.entry.display();
            format!("the cached pixels {entry} are damaged or gone; start again to have them remade")
        })
    }
}

impl ImageCache {
    /// Opens a cache; makes the folder if there is none.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making the cache folder {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Decodes what is not in the cache yet, on all processors.
    ///
    /// One result for each path, in their order: an image that cannot be read or decoded is an error that
    /// names it, and does not stop the others. Started again, it goes on where it was stopped, and reads no
    /// file again whose size and time of change are known.
    ///
    /// # Errors
    /// When the cache cannot be written; on a full disk it says how much is missing. What was written stays.
    pub fn fill(&self, paths: &[PathBuf]) -> Result<Vec<Result<CachedImage>>> {
        let index = Mutex::new(Index::open(&self.folder)?);
        let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let progress = progress_bar(paths.len());
        let broken = OnceLock::new();
        let images = in_parallel(workers, paths.iter().collect(), |path: &PathBuf| {
            if broken.get().is_some() {
                bail!("the cache cannot be written");
            }
            progress.inc(1);
            self.cached(path, &index).map_err(|problem| match problem {
                Problem::Image(error) => error,
                Problem::Cache(error) => {
                    let text = anyhow!("{error}");
                    // Several may find the disk full at once; the first one is told.
                    let _ = broken.set(error);
                    text
                }
            })
        });
        progress.finish_and_clear();
        if let Some(error) = broken.into_inner() {
            let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let rest = images.iter().zip(paths).filter(|(image, _)| image.is_err()).map(|(_, path)| path.as_path());
            let missing = if is_full { self.missing_space(rest, &lock(&index)) } else { String::new() };
            return Err(error)
                .with_context(|| format!("writing to the image cache {}{missing}", self.folder.display()));
        }
        let named = |(image, path): (Result<CachedImage>, &PathBuf)| image.with_context(|| path.display().to_string());
        Ok(images.into_iter().zip(paths).map(named).collect())
    }

    /// The image's entry, made if there is no whole one.
    fn cached(&self, path: &Path, index: &Mutex<Index>) -> Result<CachedImage, Problem> {
        let stamp = stamp(path)?;
        let known = stamp.and_then(|stamp| lock(index).get(path, stamp).map(str::to_owned));
        if let Some(image) = known.and_then(|sha256| self.find(path, sha256)) {
            return Ok(image);
        }
        let bytes = fs::read(path).context("reading the file").map_err(Problem::Image)?;
        let sha256 = sha256(&bytes);
        let image = match self.find(path, sha256.clone()) {
            Some(image) => image,
            None => {
                let decoded = decode(&bytes).map_err(|error| Problem::Image(error.into()))?;
                let entry = entry_path(&self.folder, &sha256);
                entry::write(&self.folder, &entry, &Enlarged::new(&decoded)).map_err(Problem::Cache)?;
                CachedImage { path: path.to_owned(), sha256, entry }
            }
        };
        if let Some(stamp) = stamp {
            lock(index).add(path, stamp, &image.sha256).map_err(Problem::Cache)?;
        }
        Ok(image)
    }

    /// The entry of a file with this hash, if there is a whole one.
    fn find(&self, path: &Path, sha256: String) -> Option<CachedImage> {
        let entry = entry_path(&self.folder, &sha256);
        MappedImage::open(&entry).ok()?;
        Some(CachedImage { path: path.to_owned(), sha256, entry })
    }

    /// What a user has to know when the disk is full before `rest` was done.
    fn missing_space<'a>(&self, rest: impl Iterator<Item = &'a Path>, index: &Index) -> String {
        // Some may be there from an earlier run.
        let is_missing = |path: &&Path| {
            let known = stamp(path).ok().flatten().and_then(|stamp| index.get(path, stamp));
            known.is_none_or(|sha256| !entry_path(&self.folder, sha256).is_file())
        };
        let missing: Vec<u64> = rest.filter(is_missing).filter_map(|path| entry_bytes(path).ok()).collect();
        let megabytes = missing.iter().sum::<u64>().div_ceil(1_000_000);
        format!(
            ": {} images are not in it yet and need about {megabytes} MB more; free that much or choose another folder, \
             then start again (what is there is kept)",
            missing.len(),
        )
    }
}

/// SHA-256 over the names and file hashes of a data set, whatever their order: what it was trained on.
///
/// The same as `sha256sum NAME… | sha256sum` with the names in the order of their bytes.
pub fn data_set_hash<'a>(images: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut images: Vec<(&str, &str)> = images.into_iter().collect();
    images.sort_unstable();
    let list: String = images.into_iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    sha256(list.as_bytes())
}

fn stamp(path: &Path) -> Result<Option<Stamp>, Problem> {
    let metadata = fs::metadata(path).context("opening the file").map_err(Problem::Image)?;
    if !metadata.is_file() {
        return Err(Problem::Image(anyhow!("not a file")));
    }
    Ok(Stamp::of(&metadata))
}

/// Size of an image's entry, from the image's header alone.
fn entry_bytes(path: &Path) -> Result<u64> {
    let (width, height) = ImageReader::open(path)?.with_guessed_format()?.into_dimensions()?;
    let (width, height) = kept_size(width, height);
    Ok(u64::from(width) * u64::from(height) * 3 + HEADER_BYTES as u64)
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().expect("nothing panics while it holds the index")
}
