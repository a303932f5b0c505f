//! Scores from stored features of views. Other prompts and options need no second run of the image tower.

use burn::tensor::{Tensor, TensorData};

use super::Scorer;
use super::batch::PendingScores;
use super::input::EncodedInput;
use crate::error::Result;
use crate::preprocess::Views;

impl Scorer {
    /// Queues the encoding of all views. Returns features, not of unit length; `[images, views, embed_dim]`.
    ///
    /// # Panics
    /// If views were made by another plan, or `images` is empty.
    pub fn view_features(&self, images: &[&Views]) -> Tensor<3> {
        assert!(!images.is_empty() && images.iter().all(|views| views.plan == self.plan), "views of the scorer's plan");
        let chunks = images.chunks(self.images_at_once()).map(|chunk| self.clip.view_features(chunk, &self.device));
        let features = Tensor::cat(chunks.collect(), 0); // [images · views, embed_dim]
        let [_, embed_dim] = features.dims();
        features.reshape([images.len(), self.plan.len(), embed_dim])
    }

    /// As [`Scorer::score_batch`], for images whose views are encoded already.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    ///
    /// # Panics
    /// If an input does not have one feature for each view of the plan, or `inputs` is empty.
    pub fn score_features(&mut self, inputs: &[EncodedInput]) -> Result<PendingScores> {
        let (views, embed_dim) = (self.plan.len(), self.embed_dim);
        let is_complete = |input: &EncodedInput| input.features.len() == views * embed_dim;
        assert!(!inputs.is_empty() && inputs.iter().all(is_complete), "a feature for each view of the plan");
        let values: Vec<f32> = inputs.iter().flat_map(|input| input.features).copied().collect();
        let features = Tensor::from_data(TensorData::new(values, [inputs.len(), views, embed_dim]), &self.device);
        let crop_rects = inputs.iter().map(|input| input.crop_rects.to_vec()).collect();
        let prompts: Vec<Option<&str>> = inputs.iter().map(|input| input.prompt).collect();
        self.score_encoded(features, crop_rects, &prompts)
    }
}
