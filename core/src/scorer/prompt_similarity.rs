//! Cosines of images with their whole prompts: what zero-shot CLIP, PickScore and HPS score by.

use burn::tensor::Tensor;

use super::Scorer;
use crate::error::Result;
use crate::preprocess::Views;
use crate::quality::cosine;
use crate::rows::Rows;

impl Scorer {
    /// Cosine of each resized image with the sentence of its prompt, in [−1, 1]; `[inputs]`.
    ///
    /// Of the scorer's options, only the views count.
    ///
    /// # Errors
    /// [`crate::Error::Options`] when the model has no text tower.
    ///
    /// # Panics
    /// If an input's views were made by another plan, the plan has no resized image, or there is no input.
    pub fn prompt_cosines(&mut self, inputs: &[(&Views, &str)]) -> Result<Tensor<1>> {
        assert!(!inputs.is_empty() && self.plan.has_image && inputs.iter().all(|(views, _)| views.plan == self.plan));
        let texts: Vec<String> = inputs.iter().map(|(_, prompt)| (*prompt).to_owned()).collect();
        let encoded = self.texts.encode(&self.clip, &texts, &[], &self.device)?;
        let sentences: Vec<Rows> = texts.iter().map(|text| encoded.sentence(text).feature.clone()).collect();
        let sentences = self.clip.collect(&sentences); // [inputs, embed_dim]
        let views: Vec<&Views> = inputs.iter().map(|&(views, _)| views).collect();
        let features = self.view_features(&views);
        let image = features.narrow(1, 0, 1); // [inputs, 1, embed_dim]
        Ok(cosine(image, sentences.unsqueeze_dim(1)).flatten(0, 2)) // [inputs, 1, 1] to [inputs]
    }

    /// CLIP's logits of each resized image and its prompt, `logit_scale.exp()` × cosine; `[inputs]`.
    ///
    /// # Errors
    /// As [`Scorer::prompt_cosines`].
    ///
    /// # Panics
    /// As [`Scorer::prompt_cosines`].
    pub fn prompt_logits(&mut self, inputs: &[(&Views, &str)]) -> Result<Tensor<1>> {
        Ok(self.prompt_cosines(inputs)? * self.clip.logit_scale().exp())
    }
}
