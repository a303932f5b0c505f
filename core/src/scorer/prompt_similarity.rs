//! Cosine similarities of images and their whole prompts: the score of zero-shot CLIP, PickScore and HPS.

use burn::tensor::Tensor;

use super::Scorer;
use crate::error::Result;
use crate::preprocess::Views;
use crate::quality::cosine;
use crate::rows::Rows;

impl Scorer {
    /// The cosine similarity of each resized image and its prompt, in [−1, 1]; `[inputs]`.
    ///
    /// The options of the scorer determine only the views.
    ///
    /// # Errors
    /// [`crate::Error::Options`] if the model has no text tower.
    ///
    /// # Panics
    /// If the views of an input were made by another plan, the plan has no resized image, or `inputs` is empty.
    pub fn prompt_cosines(&mut self, inputs: &[(&Views, &str)]) -> Result<Tensor<1>> {
        assert!(self.plan.has_image, "a plan with the resized image");
        let texts: Vec<String> = inputs.iter().map(|(_, prompt)| (*prompt).to_owned()).collect();
        let encoded = self.texts.encode(&self.clip, &texts, &[], &self.device)?;
        let sentences: Vec<Rows> = texts.iter().map(|text| encoded.sentence(text).feature.clone()).collect();
        let views: Vec<&Views> = inputs.iter().map(|&(views, _)| views).collect();
        let features = self.view_features(&views);
        let image = features.narrow(1, 0, 1); // [inputs, 1, embed_dim]
        let sentences = self.clip.gather(&sentences); // [inputs, embed_dim]
        Ok(cosine(image, sentences.unsqueeze_dim(1)).flatten(0, 2)) // [inputs, 1, 1] to [inputs]
    }

    /// CLIP's logit of each resized image and its prompt, `logit_scale.exp()` × cosine similarity; `[inputs]`.
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
