//! Batches for training and evaluation, cut from cached images while the device computes.
//!
//! All that is drawn depends on seed, epoch and place in the epoch alone (SPEC §1, D4): not on the number
//! of workers, and not on what was drawn before, so that an interrupted run goes on in mid-epoch.

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

/// How the batches of a run are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// Images in a batch; the last one of an epoch takes what is left, as in IPCE.
    pub batch_size: NonZeroUsize,
    /// What to make of each image.
    pub views: ViewPlan,
    /// Whether images are mirrored.
    pub mirroring: Mirroring,
    /// From which order, windows and mirroring follow.
    pub seed: u64,
    /// Threads that cut; they change how long it takes, not what comes out.
    pub workers: NonZeroUsize,
}

/// Whether training shows mirror images too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirroring {
    /// Never.
    Off,
    /// With probability ½ (D4).
    Half,
}

/// What one training step sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Which images, by their place in the list that the batches were made from.
    pub items: Vec<usize>,
    /// Normalised pixels, row-major `[items · views, 3, side, side]`: for each image the resized view
    /// first, if planned, then its windows.
    pub pixels: Vec<f32>,
}

/// What training draws for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Whether it is mirrored.
    pub mirror: Mirror,
    /// Windows, with replacement: places in the grid of the image or of its mirror image.
    pub windows: Vec<u64>,
}

/// The training batches of one epoch, in order.
pub struct Batches {
    batches: Prefetch<Result<Batch>>,
    buffers: Buffers,
}

/// Memory of batches that were used. The system clears fresh memory page by page, which took three times
/// as long as cutting the views (31 ms for the 87 MB of 16 images with 9 views of ViT-B/32).
type Buffers = Arc<Mutex<Vec<Vec<f32>>>>;

/// Evaluation batches, in the order of the items: all images once, with the windows that are laid down.
pub struct EvaluationBatches(Prefetch<Result<Vec<(usize, Views)>>>);

impl BatchPlan {
    /// Number of batches that an epoch of so many images has.
    pub fn steps(&self, n_items: usize) -> usize {
        n_items.div_ceil(self.batch_size.get())
    }

    /// The items in the order in which an epoch shows them.
    pub fn order(&self, items: &[usize], epoch: u64) -> Vec<usize> {
        let mut order = items.to_vec();
        order.shuffle(&mut self.random(b"order", epoch, 0));
        order
    }

    /// Draws mirroring and windows of the image in one place of an epoch.
    pub fn draw(&self, image: &Enlarged, epoch: u64, place: usize) -> Draw {
        let mut random = self.random(b"views", epoch, place as u64);
        // Drawn even when it is off, so that the windows stay the same.
        let mirror = match (random.random_bool(0.5), self.mirroring) {
            (true, Mirroring::Half) => Mirror::LeftRight,
            _ => Mirror::No,
        };
        let count = image.crop_positions(self.views.side);
        Draw { mirror, windows: (0..self.views.crops).map(|_| random.random_range(0..count)).collect() }
    }

    /// A generator of its own for each purpose, epoch and place: its key holds them all.
    fn random(&self, purpose: &[u8; 5], epoch: u64, place: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&epoch.to_le_bytes());
        key[16..24].copy_from_slice(&place.to_le_bytes());
        key[24..29].copy_from_slice(purpose);
        ChaCha8Rng::from_seed(key)
    }

    fn check(&self, images: &[CachedImage], items: &[usize]) -> Result<()> {
        ensure!(!items.is_empty(), "there are no images to make batches of");
        ensure!(!self.views.is_empty(), "neither the resized image nor windows are asked for");
        let n_images = images.len();
        let beyond = items.iter().find(|&&item| item >= n_images);
        ensure!(beyond.is_none(), "item {} of {n_images} images", beyond.unwrap_or(&0));
        Ok(())
    }

    /// The items of one step.
    fn step<'a>(&self, order: &'a [usize], step: usize) -> &'a [usize] {
        let start = step * self.batch_size.get();
        &order[start..order.len().min(start + self.batch_size.get())]
    }
}

impl Batches {
    /// Starts an epoch over `items`, which count in `images`, at one of its steps (0 for a whole epoch).
    ///
    /// # Errors
    /// When there is nothing to make batches of, or an item is no image.
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
            let done = in_parallel(plan.workers, jobs, |(place, (&item, pixels)): (usize, (&usize, &mut [f32]))| {
                let map = images[item].map()?;
                let image = map.enlarged();
                let Draw { mirror, windows } = plan.draw(&image, epoch, first + place);
                image.views_at(plan.views, &windows, mirror).write_pixels(plan.views.side, pixels);
                Ok(())
            });
            all_of(&images, &items, done)?;
            Ok(Batch { items, pixels })
        });
        Ok(Self { batches, buffers })
    }

    /// Takes the pixels of a batch that was used, so that a later one need not take new memory.
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
    /// Starts over `items`, which count in `images`; seed and mirroring of the plan are of no account.
    ///
    /// # Errors
    /// When there is nothing to make batches of, or an item is no image.
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

/// All results, or the first error with the name of its image.
fn all_of<R>(images: &[CachedImage], items: &[usize], done: Vec<Result<R>>) -> Result<Vec<R>> {
    let named = |(result, &item): (Result<R>, &usize)| result.with_context(|| images[item].path.display().to_string());
    done.into_iter().zip(items).map(named).collect()
}
