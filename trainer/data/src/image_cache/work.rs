//! Fills the cache on all processors.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use anyhow::{Result, anyhow, bail};
use indicatif::ProgressBar;

use super::index::{FileStamp, Index};
use super::{CacheError, CachedImage, ImageCache, stamp};
use crate::dataset::ImageSource;
use crate::dataset::parquet_images::{ImageBatches, ImageRow};
use crate::parallel::in_parallel;

/// What the threads that fill a cache share.
pub struct Work<'a> {
    pub cache: &'a ImageCache,
    pub index: Mutex<Index>,
    pub workers: NonZeroUsize,
    pub progress: ProgressBar,
    /// The first error in writing. No further image is read after it.
    pub write_error: OnceLock<io::Error>,
}

/// A result for each image; `None` for an image in a Parquet file that must be read.
type Images = Vec<Option<Result<CachedImage>>>;

impl Work<'_> {
    /// Caches the images that are files, and finds those of Parquet files that are in the cache.
    pub fn files_and_known_cells(&self, sources: &[ImageSource]) -> Images {
        let images = in_parallel(self.workers, sources.iter().collect(), |source: &ImageSource| {
            let found = self.checked(|| {
                let stamp = stamp(source.path())?;
                if let Some(image) = self.cache.known(source, stamp, &self.index) {
                    return Ok(Some(image));
                }
                if let ImageSource::Cell { .. } = source {
                    return Ok(None);
                }
                let bytes = source.read().map_err(CacheError::Image)?;
                self.cache.add(source, &bytes, stamp, &self.index).map(Some)
            });
            if !matches!(found, Ok(None)) {
                self.progress.inc(1);
            }
            found
        });
        images.into_iter().map(Result::transpose).collect()
    }

    /// Reads the Parquet files that hold the remaining images, a few rows at once.
    pub fn other_cells(&self, sources: &[ImageSource], images: &mut Images) {
        let mut columns = BTreeMap::<(&Path, &str), BTreeMap<usize, usize>>::new();
        for (i, source) in sources.iter().enumerate() {
            if let (ImageSource::Cell { table, column, row }, None) = (source, &images[i]) {
                columns.entry((table.as_path(), column.as_str())).or_default().insert(*row, i);
            }
        }
        for ((table, column), mut rows) in columns {
            if let Err(error) = self.cells_of(table, column, &mut rows, sources, images) {
                for i in rows.into_values() {
                    images[i] = Some(Err(anyhow!("the rest of the file cannot be read: {error:#}")));
                }
            }
        }
    }

    /// Caches images of one Parquet file, and removes their rows from `rows`, which has the place of each image.
    fn cells_of(
        &self,
        table: &Path,
        column: &str,
        rows: &mut BTreeMap<usize, usize>,
        sources: &[ImageSource],
        images: &mut Images,
    ) -> Result<()> {
        // The time before the file is read: a later change of the file is then noticed.
        let stamp = stamp(table).ok().flatten();
        let mut batches = ImageBatches::open(table, column)?;
        while !rows.is_empty()
            && self.write_error.get().is_none()
            && let Some(batch) = batches.next_rows()?
        {
            let wanted: Vec<ImageRow> =
                batch.into_iter().filter_map(|(row, bytes)| Some((rows.remove(&row)?, bytes))).collect();
            let places: Vec<usize> = wanted.iter().map(|(i, _)| *i).collect();
            let done = in_parallel(self.workers, wanted, |(i, bytes)| self.cell(&sources[i], bytes, stamp));
            for (i, image) in places.into_iter().zip(done) {
                images[i] = Some(image);
            }
        }
        Ok(())
    }

    fn cell(&self, source: &ImageSource, bytes: Result<Vec<u8>>, stamp: Option<FileStamp>) -> Result<CachedImage> {
        self.progress.inc(1);
        self.checked(|| self.cache.add(source, &bytes.map_err(CacheError::Image)?, stamp, &self.index))
    }

    /// Does the work unless the cache cannot be written, and keeps the first error in writing.
    fn checked<R>(&self, work: impl FnOnce() -> Result<R, CacheError>) -> Result<R> {
        if self.write_error.get().is_some() {
            bail!("the cache cannot be written");
        }
        work().map_err(|problem| match problem {
            CacheError::Image(error) => error,
            CacheError::Write(error) => {
                let text = anyhow!("{error}");
                // Several threads may fail at the same time. The first error is reported.
                let _ = self.write_error.set(error);
                text
            }
        })
    }
}
