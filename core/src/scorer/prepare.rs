//! Compiles kernels before the first score.

use cubecl::dry_run::DryRun;

use super::Scorer;
use super::input::Input;
use crate::error::Result;
use crate::gpu::Queue;
use crate::preprocess::views;

/// Prompts of three batches. Texts of the last one are partly cached.
const PROMPTS: [Option<&str>; 3] = [None, Some("a cat"), Some("a cat and a dog")];
/// Width and height, in pixels, of an image that is not upscaled.
const SIDE: u32 = 512;

impl Scorer {
    /// As [`Scorer::prepare`].
    pub(super) fn compile_kernels(&mut self) -> Result<()> {
        if Queue::of(&self.clip.logit_scale()).is_none() {
            return Ok(());
        }
        let views = views(&image::RgbImage::new(SIDE, SIDE), self.plan)?;
        let _dry_run = DryRun::new();
        for prompt in PROMPTS {
            self.score_batch(&[Input { views: &views, prompt }])?;
        }
        // A dry run does not run kernels, so the features in the cache are not valid.
        self.texts.clear_cache();
        Ok(())
    }
}
