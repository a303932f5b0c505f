//! A data set whose images are decoded, and the choice of a split.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tsp_mgs_core::options::Options;

use crate::dataset::{self, DataArgs, Dataset, ImageSource, Item};
use crate::image_cache::{CachedImage, ImageCache, data_set_hash};
use crate::splits::{self, Split};

/// A data set whose images are all decoded.
pub struct DecodedSet {
    /// The data set. Items whose image cannot be decoded are removed.
    pub set: Dataset,
    /// The image of each item, in the order of the items.
    pub images: Arc<[CachedImage]>,
    /// The hash of the names and contents of the images, from [`data_set_hash`].
    pub images_sha256: String,
    /// The errors of the images that could not be decoded.
    pub undecodable: Vec<String>,
}

impl DecodedSet {
    /// Reads a data set, checks that it has what each task needs, and decodes its images into the folder `cache`.
    ///
    /// # Errors
    /// Returns an error with the list of all wrong rows or images, unless `skip_bad` is set.
    pub fn open(args: &DataArgs, tasks: &[Options], cache: &Path) -> Result<Self> {
        let mut set = dataset::open(args)?;
        for options in tasks {
            set.require(options)?;
        }
        let sources: Vec<ImageSource> = set.items.iter().map(|item| item.image.clone()).collect();
        let decoded = ImageCache::open(cache)?.fill(&sources)?;
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
            bail!("{count} images cannot be decoded; repair them, or pass --skip-bad to omit them:\n  {list}");
        }
        if items.is_empty() {
            bail!("no image of the data set can be decoded:\n  {}", undecodable.join("\n  "));
        }
        let names = items.iter().map(|item: &Item| item.name.as_str());
        let images_sha256 = data_set_hash(names.zip(images.iter().map(|image: &CachedImage| image.sha256.as_str())));
        set.items = items;
        Ok(Self { set, images: images.into(), images_sha256, undecodable })
    }

    /// Returns one split, from the folder `lists` or drawn with `seed`.
    ///
    /// `number` is the name of the split's folder in `lists`, or the number of the drawn split, counted from 1.
    ///
    /// # Errors
    /// Returns an error if there is no such split, or if its lists do not match the data set.
    pub fn split(&self, args: &DataArgs, lists: Option<&Path>, number: usize, seed: u64) -> Result<Split> {
        let Some(folder) = lists else {
            if number == 0 {
                bail!("split 0 was requested; drawn splits are counted from 1");
            }
            let mut drawn = splits::draw(&self.set.items, seed, number)?;
            return drawn.pop().context("at least one split was drawn");
        };
        let splits = splits::read(folder, args, &self.set)?;
        let known: Vec<&str> = splits.iter().map(|split| split.folder.as_str()).collect();
        let known = known.join(", ");
        let found = splits.into_iter().find(|split| split.folder == number.to_string());
        found.with_context(|| format!("{} has no split {number}; it has {known}", folder.display()))
    }
}

/// Returns the number of threads that prepare images: the requested one, or one less than the number of processors. The
/// remaining processor feeds the device.
pub fn workers(requested: Option<NonZeroUsize>) -> NonZeroUsize {
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    requested.unwrap_or_else(|| NonZeroUsize::new(all - 1).unwrap_or(NonZeroUsize::MIN))
}
