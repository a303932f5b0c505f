//! One row of the results.

use anyhow::Result;
use tsp_mgs_core::preprocess::image_notes;
use tsp_mgs_core::result::{FoundPrompt, ImageResult, ImageScore, Run};

use crate::record::Name;

/// One image's result.
pub struct ResultRow {
    /// What the row is about.
    pub name: Name,
    /// Its scores, or why there are none.
    pub result: Result<Scored>,
}

/// A scored image.
pub struct Scored {
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// Whether it has but one colour.
    pub is_flat: bool,
    /// Its prompt, if it has one.
    pub prompt: Option<FoundPrompt>,
    /// Its scores.
    pub score: ImageScore,
}

impl Scored {
    /// With what all results of the run share.
    pub fn result<'a>(&'a self, run: &'a Run) -> ImageResult<'a> {
        let result = run.result((self.width, self.height), self.prompt.as_ref(), &self.score);
        result.with_notes(image_notes(self.width, self.height, self.is_flat))
    }
}
