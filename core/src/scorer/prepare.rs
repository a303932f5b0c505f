//! Kernels, compiled before the first score.

use cubecl::dry_run::DryRun;

use super::{Input, Scorer};
use crate::error::Result;
use crate::gpu::Queue;
use crate::preprocess::views;

/// Prompts of two batches: the second finds texts of the first.
const PROMPTS: [Option<&str>; 3] = [None, Some("a cat"), Some("a cat and a dog")];
/// Side of an image that is cut without being enlarged, in pixels.
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
        // What no kernel computed must not be remembered.
        self.texts.forget();
        Ok(())
    }
}
