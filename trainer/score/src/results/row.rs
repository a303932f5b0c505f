//! One row of the results.

use anyhow::Result;
use tsp_mgs_core::preprocess::image_notes;
use tsp_mgs_core::result::{FoundPrompt, ImageResult, ImageScore, Run};

use crate::gallery::thumbnail::Thumbnail;
use crate::input::record::RecordName;

/// The result of one image.
pub struct ResultRow {
    /// The image's id and path.
    pub name: RecordName,
    /// The scores, or the error that prevented them.
    pub result: Result<ScoredImage>,
}

/// An image with its scores.
pub struct ScoredImage {
    /// The width of the upright image in pixels.
    pub width: u32,
    /// The height of the upright image in pixels.
    pub height: u32,
    /// Whether all pixels have the same colour.
    pub is_flat: bool,
    /// The prompt that the image was scored with, if it has one.
    pub prompt: Option<FoundPrompt>,
    /// The scores, on the scale of 0 to 5; higher is better.
    pub score: ImageScore,
    /// The thumbnail, if a gallery is written.
    pub thumbnail: Option<Thumbnail>,
}

impl ScoredImage {
    /// Returns the result with the fields that are equal for all images of the run, and with notes about the image.
    pub fn result<'a>(&'a self, run: &'a Run) -> ImageResult<'a> {
        let result = run.result((self.width, self.height), self.prompt.as_ref(), &self.score);
        result.with_notes(image_notes(self.width, self.height, self.is_flat))
    }
}
