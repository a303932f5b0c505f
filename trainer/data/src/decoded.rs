//! A data set ready for the device: its images decoded, its split known.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tsp_mgs_core::options::Options;

use crate::dataset::{self, DataArgs, Dataset, Item};
use crate::image_cache::{CachedImage, ImageCache, data_set_hash};
use crate::splits::{self, Split};

/// A table whose images are all there and decoded.
pub struct DecodedSet {
    /// The table; rows whose image cannot be decoded are gone from it.
    pub set: Dataset,
    /// One for each of its items.
    pub images: Arc<[CachedImage]>,
    /// SHA-256 over names and contents of the images.
    pub images_sha256: String,
    /// Images that could not be decoded and were left out, with the reason.
    pub undecodable: Vec<String>,
}

impl DecodedSet {
    /// Reads the table, requires opinions of every task, and decodes the images into the cache.
    ///
    /// # Errors
    /// For rows or images that are wrong, all of them listed, unless they are to be skipped.
    pub fn open(args: &DataArgs, tasks: &[Options], cache: &Path) -> Result<Self> {
        let mut set = dataset::open(args)?;
        for task in tasks {
            set.require(task.task())?;
        }
        let paths: Vec<PathBuf> = set.items.iter().map(|item| item.image.clone()).collect();
        let decoded = ImageCache::open(cache)?.fill(&paths)?;
        let (mut items, mut images, mut undecodable) = (Vec::new(), Vec::new(), Vec::new());
        for (item, image) in std::mem::take(&mut set.items).into_iter().zip(decoded) {
            match image {
                Ok(image) => {
                    items.push(item);
                    images.push(image);
                }
                Err(error) => undecodable.push(format!("{error:#}")),
            }
        }
        if !undecodable.is_empty() && !args.skip_bad {
            let (count, list) = (undecodable.len(), undecodable.join("\n  "));
            bail!("{count} images cannot be decoded; mend them, or pass --skip-bad to go on without:\n  {list}");
        }
        if items.is_empty() {
            bail!("no image of the data set can be decoded:\n  {}", undecodable.join("\n  "));
        }
        let names = items.iter().map(|item: &Item| item.name.as_str());
        let images_sha256 = data_set_hash(names.zip(images.iter().map(|image: &CachedImage| image.sha256.as_str())));
        set.items = items;
        Ok(Self { set, images: images.into(), images_sha256, undecodable })
    }

    /// One split: from lists, or drawn; `number` is the list's folder, or the place among the drawn ones from 1.
    ///
    /// # Errors
    /// When there is no such split, or its lists do not fit the data set.
    pub fn split(&self, args: &DataArgs, lists: Option<&Path>, number: usize, seed: u64) -> Result<Split> {
        let Some(folder) = lists else {
            if number == 0 {
                bail!("split 0 was asked for; drawn splits count from 1");
            }
            let mut drawn = splits::draw(&self.set.items, seed, number)?;
            return drawn.pop().context("there is a split");
        };
        let splits = splits::read(folder, args, &self.set)?;
        let known: Vec<&str> = splits.iter().map(|split| split.folder.as_str()).collect();
        let known = known.join(", ");
        let found = splits.into_iter().find(|split| split.folder == number.to_string());
        found.with_context(|| format!("{} has no split {number}; it has {known}", folder.display()))
    }
}

/// Threads that prepare images: as asked for, else all but one, which feeds the device.
pub fn workers(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    asked.unwrap_or_else(|| NonZeroUsize::new(all - 1).unwrap_or(NonZeroUsize::MIN))
}
