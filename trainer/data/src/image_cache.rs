//! A cache of decoded images on disk, so that an epoch reads pixels instead of decoding files.
//!
//! The cache is a folder with one file for each image, which stands in a file of its own or in a Parquet file: a header, and the pixels of the upscaled image ([`Enlarged`]).
//! The name of a file consists of the SHA-256 of the image file and the name of the preprocessing. Equal images
//! therefore share a file, and a changed image gets a new one. A file is written under a temporary name, and never
//! changed afterwards.

mod entry;
mod index;
mod work;

use std::fs;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::available_parallelism;

use anyhow::{Context, Result, anyhow};
use entry::{HEADER_BYTES, entry_path};
use image::ImageReader;
use index::{FileStamp, Index};
use tsp_mgs_core::bundle::sha256;
use tsp_mgs_core::preprocess::{Enlarged, decode, kept_size};

use crate::dataset::ImageSource;
use crate::progress::progress_bar;

use work::Work;

pub use entry::MappedImage;

/// The folder of a cache of decoded images.
pub struct ImageCache {
    folder: PathBuf,
}

/// An image with an entry in the cache.
#[derive(Clone, Debug)]
pub struct CachedImage {
    /// The place of the encoded image.
    pub source: ImageSource,
    /// The SHA-256 of the image file in hexadecimal.
    pub sha256: String,
    /// The path of the file with its pixels.
    pub entry: PathBuf,
}

/// A reason why an image cannot be cached.
enum CacheError {
    /// The image cannot be read or decoded. Other images are not affected.
    Image(anyhow::Error),
    /// The cache cannot be written.
    Write(io::Error),
}

impl CachedImage {
    /// Maps the pixels into memory.
    ///
    /// # Errors
    /// Returns an error if the entry was removed or damaged after the cache was filled.
    pub fn map(&self) -> Result<MappedImage> {
        MappedImage::open(&self.entry).with_context(|| {
            let entry = self.entry.display();
            format!("the cached pixels {entry} are damaged or missing; start again to create them")
        })
    }
}

impl ImageCache {
    /// Opens the cache in a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating the cache folder {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Decodes the images that are not in the cache yet, on all processors.
    ///
    /// Returns one result for each image, in the same order. An image that cannot be read or decoded gives an error with
    /// its place, and does not affect the others. An image that is in the cache is not read again if the size and the
    /// modification time of its file, or of the Parquet file that holds it, are unchanged.
    ///
    /// # Errors
    /// Returns an error if the cache cannot be written. If the disk is full, the error says how much space is missing.
    /// Written entries are kept.
    pub fn fill(&self, sources: &[ImageSource]) -> Result<Vec<Result<CachedImage>>> {
        let work = Work {
            cache: self,
            index: Mutex::new(Index::open(&self.folder)?),
            workers: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            progress: progress_bar(sources.len()),
            write_error: OnceLock::new(),
        };
        let mut images = work.files_and_known_cells(sources);
        work.other_cells(sources, &mut images);
        work.progress.finish_and_clear();
        let absent = || Err(anyhow!("the Parquet file has no such row"));
        let images: Vec<Result<CachedImage>> = images.into_iter().map(|image| image.unwrap_or_else(absent)).collect();
        if let Some(error) = work.write_error.into_inner() {
            let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let rest = images.iter().zip(sources).filter(|(image, _)| image.is_err()).map(|(_, source)| source);
            let missing = if is_full { self.missing_space(rest, &lock(&work.index)) } else { String::new() };
            return Err(error)
                .with_context(|| format!("writing to the image cache {}{missing}", self.folder.display()));
        }
        let named = |(image, source): (Result<_>, &ImageSource)| image.with_context(|| source.to_string());
        Ok(images.into_iter().zip(sources).map(named).collect())
    }

    /// Returns the entry of an image whose file has not changed since it was added.
    fn known(&self, source: &ImageSource, stamp: Option<FileStamp>, index: &Mutex<Index>) -> Option<CachedImage> {
        let sha256 = lock(index).get(source, stamp?).map(str::to_owned)?;
        self.find(source, sha256)
    }

    /// Returns the entry of an image with these bytes, which is created if there is no valid one.
    fn add(
        &self,
        source: &ImageSource,
        bytes: &[u8],
        stamp: Option<FileStamp>,
        index: &Mutex<Index>,
    ) -> Result<CachedImage, CacheError> {
        let sha256 = sha256(bytes);
        let image = match self.find(source, sha256.clone()) {
            Some(image) => image,
            None => {
                let decoded = decode(bytes).map_err(|error| CacheError::Image(error.into()))?;
                let entry = entry_path(&self.folder, &sha256);
                entry::write(&self.folder, &entry, &Enlarged::new(&decoded)).map_err(CacheError::Write)?;
                CachedImage { source: source.clone(), sha256, entry }
            }
        };
        if let Some(stamp) = stamp {
            lock(index).add(source, stamp, &image.sha256).map_err(CacheError::Write)?;
        }
        Ok(image)
    }

    /// Returns the entry of the image with this hash, if there is a valid one.
    fn find(&self, source: &ImageSource, sha256: String) -> Option<CachedImage> {
        let entry = entry_path(&self.folder, &sha256);
        MappedImage::open(&entry).ok()?;
        Some(CachedImage { source: source.clone(), sha256, entry })
    }

    /// Returns a note for the error of a full disk. `rest` are the images that were not cached.
    fn missing_space<'a>(&self, rest: impl Iterator<Item = &'a ImageSource>, index: &Index) -> String {
        // Some images may be in the cache from an earlier run.
        let is_missing = |source: &&ImageSource| {
            let known = stamp(source.path()).ok().flatten().and_then(|stamp| index.get(source, stamp));
            known.is_none_or(|sha256| !entry_path(&self.folder, sha256).is_file())
        };
        let missing: Vec<&ImageSource> = rest.filter(is_missing).collect();
        // The sizes of images in a Parquet file are not known without reading all of them.
        let is_sized = missing.iter().all(|source| matches!(source, ImageSource::File(_)));
        let bytes: u64 = missing.iter().filter_map(|source| entry_bytes(source.path()).ok()).sum();
        let megabytes = bytes.div_ceil(1_000_000);
        let need = if is_sized { format!(" and need about {megabytes} MB more") } else { String::new() };
        format!(
            ": {} images are not in the cache yet{need}; free disk space or choose another folder, then start again (existing \
             entries are kept)",
            missing.len(),
        )
    }
}

/// Returns the SHA-256 of the names and file hashes of a data set, which does not depend on their order.
///
/// The items are pairs of a name and a SHA-256 in hexadecimal. The result equals `sha256sum NAME… | sha256sum` with the
/// names in the order of their bytes.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::image_cache::data_set_hash;
///
/// assert_eq!(data_set_hash([("a.png", "00"), ("b.png", "ff")]), data_set_hash([("b.png", "ff"), ("a.png", "00")]));
/// assert_ne!(data_set_hash([("a.png", "00")]), data_set_hash([("a.png", "01")]));
/// ```
pub fn data_set_hash<'a>(images: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut images: Vec<(&str, &str)> = images.into_iter().collect();
    images.sort_unstable();
    let list: String = images.into_iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    sha256(list.as_bytes())
}

/// Returns the size and time of a file, or `None` if they cannot prove that the file is unchanged.
fn stamp(path: &Path) -> Result<Option<FileStamp>, CacheError> {
    let metadata = fs::metadata(path).context("opening the file").map_err(CacheError::Image)?;
    if !metadata.is_file() {
        return Err(CacheError::Image(anyhow!("not a file")));
    }
    Ok(FileStamp::of(&metadata))
}

/// Returns the size of an image's entry, which follows from the header of the image file.
fn entry_bytes(path: &Path) -> Result<u64> {
    let (width, height) = ImageReader::open(path)?.with_guessed_format()?.into_dimensions()?;
    let (width, height) = kept_size(width, height);
    Ok(u64::from(width) * u64::from(height) * 3 + HEADER_BYTES as u64)
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().expect("nothing panics while it holds the index")
}
