//! Image features by themselves: kept by a caller, they score again with other prompts and options, without the tower.

use burn::tensor::{Tensor, TensorData};

use super::Scorer;
use crate::error::Result;
use crate::preprocess::{Views, Window};
use crate::result::Layout;

/// One image to score whose views were encoded before.
#[derive(Clone, Copy)]
pub struct EncodedInput<'a> {
    /// Its features as [`Scorer::view_features`] gave them, row-major `[views, embed_dim]`.
    pub features: &'a [f32],
    /// Where each window stands in the image.
    pub windows: &'a [Window],
    /// Its initial prompt; `None` or blank when it has none.
    pub prompt: Option<&'a str>,
}

impl Scorer {
    /// Queues the encoding of every view, `[images, views, embed_dim]`; not unit length.
    ///
    /// # Panics
    /// If views were made by another plan, or there are none.
    pub fn view_features(&self, images: &[&Views]) -> Tensor<3> {
        assert!(!images.is_empty() && images.iter().all(|views| views.plan == self.plan));
        let chunks = images.chunks(self.images_at_once()).map(|chunk| self.clip.view_features(chunk, &self.device));
        let features = Tensor::cat(chunks.collect(), 0); // [images · views, embed_dim]
        let [_, embed_dim] = features.dims();
        features.reshape([images.len(), self.plan.len(), embed_dim])
    }

    /// As [`Scorer::score_batch`], of images whose views were encoded before.
    ///
    /// # Errors
    /// As [`Scorer::score_batch`].
    ///
    /// # Panics
    /// If an input has not one feature for each view of the plan, or there is none.
    pub fn score_features(&mut self, inputs: &[EncodedInput]) -> Result<(Tensor<1>, Layout)> {
        let (views, dim) = (self.plan.len(), self.embed_dim);
        assert!(!inputs.is_empty() && inputs.iter().all(|input| input.features.len() == views * dim));
        let values: Vec<f32> = inputs.iter().flat_map(|input| input.features).copied().collect();
        let features = Tensor::from_data(TensorData::new(values, [inputs.len(), views, dim]), &self.device);
        let windows = inputs.iter().map(|input| input.windows.to_vec()).collect();
        let prompts: Vec<Option<&str>> = inputs.iter().map(|input| input.prompt).collect();
        self.score_encoded(features, windows, &prompts)
    }
}
