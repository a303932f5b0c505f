//! Batches of training and evaluation, which are cut from cached images while the device computes.
//!
//! Random numbers depend only on the seed, the epoch and the position in the epoch (SPEC §1, D4). They do not depend on
//! the number of threads or on earlier random numbers, so that a run can be resumed in the middle of an epoch.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result, ensure};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tsp_mgs_core::preprocess::{Enlarged, Mirror, ViewPlan, Views};

use crate::image_cache::CachedImage;
use crate::parallel::in_parallel;
use crate::prefetch::Prefetch;

/// The settings of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// The number of images in a batch. The last batch of an epoch may be smaller, as in IPCE.
    pub batch_size: NonZeroUsize,
    /// The views of each image.
    pub views: ViewPlan,
    /// Whether training mirrors images.
    pub mirroring: Mirroring,
    /// The seed of the order, the crops and the mirroring.
    pub seed: u64,
    /// The number of threads, which does not affect the batches.
    pub workers: NonZeroUsize,
}

/// Whether training mirrors images at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirroring {
    /// Images are not mirrored.
    Off,
    /// With probability 0.5 (SPEC D4).
    Half,
}

/// The images of one training step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The indices of the images in the list that was passed to [`Batches::from_step`].
    pub items: Vec<usize>,
    /// The normalised pixels, row-major `[items · views, 3, side, side]`. For each image, the resized image comes first
    /// if the plan has it, and then the crops.
    pub pixels: Vec<f32>,
}

/// The random augmentation of one image in training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Augmentation {
    /// Whether the image is mirrored.
    pub mirror: Mirror,
    /// The crop positions, drawn with replacement, in the grid of the image or of its mirror image.
    pub crop_positions: Vec<u64>,
}

/// The training batches of one epoch, in order.
pub struct Batches {
    batches: Prefetch<Result<Batch>>,
    buffers: Buffers,
}

/// The memory of used batches, for later ones. The operating system clears new memory page by page, which took three
/// times as long as cutting the views (31 ms for the 87 MB of 16 images with 9 views of ViT-B/32).
type Buffers = Arc<Mutex<Vec<Vec<f32>>>>;

/// The batches of an evaluation: each item once, in the order of the items, with the fixed crops of scoring.
///
/// Each batch has pairs of an item and its views.
pub struct EvaluationBatches(Prefetch<Result<Vec<(usize, Views)>>>);

impl BatchPlan {
    /// Returns the number of batches in an epoch of `n_items` images.
    pub fn steps(&self, n_items: usize) -> usize {
        n_items.div_ceil(self.batch_size.get())
    }

    /// Returns the items in the order of an epoch.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::NonZeroUsize;
    /// use tsp_mgs_core::preprocess::ViewPlan;
    /// use tsp_mgs_data::loader::{BatchPlan, Mirroring};
    ///
    /// let plan = BatchPlan {
    ///     batch_size: NonZeroUsize::new(4).expect("not zero"),
    ///     views: ViewPlan { side: 224, has_image: true, crops: 8 },
    ///     mirroring: Mirroring::Half,
    ///     seed: 1,
    ///     workers: NonZeroUsize::MIN,
    /// };
    /// assert_eq!(plan.steps(10), 3);
    /// let mut order = plan.order(&[5, 6, 7], 0);
    /// assert_eq!(order, plan.order(&[5, 6, 7], 0));
    /// order.sort_unstable();
    /// assert_eq!(order, [5, 6, 7]);
    /// ```
    pub fn order(&self, items: &[usize], epoch: u64) -> Vec<usize> {
        let mut order = items.to_vec();
        order.shuffle(&mut self.random(b"order", epoch, 0));
        order
    }

    /// Draws the augmentation of the image at a position of an epoch.
    pub fn augmentation(&self, image: &Enlarged, epoch: u64, position: usize) -> Augmentation {
        let mut random = self.random(b"views", epoch, position as u64);
        // The number is drawn even if mirroring is off, so that the crops stay the same.
        let mirror = match (random.random_bool(0.5), self.mirroring) {
            (true, Mirroring::Half) => Mirror::LeftRight,
            _ => Mirror::No,
        };
        let count = image.crop_positions(self.views.side);
        let crop_positions = (0..self.views.crops).map(|_| random.random_range(0..count)).collect();
        Augmentation { mirror, crop_positions }
    }

    /// Creates the random number generator of a purpose, an epoch and a position, which are all part of its key.
    fn random(&self, purpose: &[u8; 5], epoch: u64, position: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&epoch.to_le_bytes());
        key[16..24].copy_from_slice(&position.to_le_bytes());
        key[24..29].copy_from_slice(purpose);
        ChaCha8Rng::from_seed(key)
    }

    fn check(&self, images: &[CachedImage], items: &[usize]) -> Result<()> {
        ensure!(!items.is_empty(), "there are no images for batches");
        ensure!(!self.views.is_empty(), "the plan has neither the resized image nor crops");
        let n_images = images.len();
        let beyond = items.iter().find(|&&item| item >= n_images);
        ensure!(beyond.is_none(), "there is no item {}: the number of images is {n_images}", beyond.unwrap_or(&0));
        Ok(())
    }

    /// Returns the items of one step.
    fn step<'a>(&self, order: &'a [usize], step: usize) -> &'a [usize] {
        let start = step * self.batch_size.get();
        &order[start..order.len().min(start + self.batch_size.get())]
    }
}

impl Batches {
    /// Starts an epoch at a step, which is 0 for a full epoch. `items` are indices into `images`.
    ///
    /// # Errors
    /// Returns an error if `items` is empty or has an invalid index, or if the plan has no views.
    pub fn from_step(
        images: Arc<[CachedImage]>,
        items: &[usize],
        plan: BatchPlan,
        epoch: u64,
        step: usize,
    ) -> Result<Self> {
        plan.check(&images, items)?;
        let order = plan.order(items, epoch);
        let pixels_each = plan.views.pixel_count();
        let buffers = Buffers::default();
        let used = buffers.clone();
        let batches = Prefetch::steps(step..plan.steps(order.len()), move |step| {
            let items = plan.step(&order, step).to_vec();
            let first = step * plan.batch_size.get();
            let mut pixels = lock(&used).pop().unwrap_or_default();
            pixels.resize(items.len() * pixels_each, 0.0);
            let jobs = items.iter().zip(pixels.chunks_exact_mut(pixels_each)).enumerate().collect();
            let done = in_parallel(plan.workers, jobs, |(i, (&item, pixels)): (usize, (&usize, &mut [f32]))| {
                let map = images[item].map()?;
                let image = map.enlarged();
                let Augmentation { mirror, crop_positions } = plan.augmentation(&image, epoch, first + i);
                image.views_at(plan.views, &crop_positions, mirror).write_pixels(plan.views.side, pixels);
                Ok(())
            });
            all_of(&images, &items, done)?;
            Ok(Batch { items, pixels })
        });
        Ok(Self { batches, buffers })
    }

    /// Takes back the pixels of a used batch, so that a later batch uses the same memory.
    pub fn give_back(&self, pixels: Vec<f32>) {
        lock(&self.buffers).push(pixels);
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

impl EvaluationBatches {
    /// Starts an evaluation. `items` are indices into `images`. The seed and the mirroring of the plan have no effect.
    ///
    /// # Errors
    /// Returns an error if `items` is empty or has an invalid index, or if the plan has no views.
    pub fn new(images: Arc<[CachedImage]>, items: &[usize], plan: BatchPlan) -> Result<Self> {
        plan.check(&images, items)?;
        let order = items.to_vec();
        Ok(Self(Prefetch::steps(0..plan.steps(order.len()), move |step| {
            let items = plan.step(&order, step);
            let done = in_parallel(plan.workers, items.to_vec(), |item| {
                Ok((item, images[item].map()?.enlarged().views(plan.views)?))
            });
            all_of(&images, items, done)
        })))
    }
}

impl Iterator for EvaluationBatches {
    type Item = Result<Vec<(usize, Views)>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn lock(buffers: &Mutex<Vec<Vec<f32>>>) -> MutexGuard<'_, Vec<Vec<f32>>> {
    buffers.lock().expect("nothing panics while it holds the buffers")
}

/// Returns all results, or the first error with the path of its image.
fn all_of<R>(images: &[CachedImage], items: &[usize], done: Vec<Result<R>>) -> Result<Vec<R>> {
    let named = |(result, &item): (Result<R>, &usize)| result.with_context(|| images[item].source.to_string());
    done.into_iter().zip(items).map(named).collect()
}
