//! CLIP: an image tower and a text tower that meet in one space, and the scale of their similarity.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, ClipConfig};
use crate::text::TextTransformer;
use crate::vision::VisionTransformer;

/// Both towers of CLIP and `logit_scale`.
#[derive(Module, Debug)]
pub struct Clip {
    visual: VisionTransformer,
    text: Option<TextTransformer>,
    logit_scale: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl Clip {
    /// Uploads a checkpoint's tensors to `device`, as float32.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Self {
        let ClipConfig { activation, vision, text, .. } = checkpoint.config();
        Self {
            visual: VisionTransformer::load(checkpoint, vision, device),
            text: text.as_ref().map(|text| TextTransformer::load(checkpoint, text, device)),
            logit_scale: Param::from_tensor(checkpoint.tensor("logit_scale", device)),
            activation: *activation,
        }
    }

    /// Image features `F_I`, Eq. 1; not unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, from [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn image_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.visual.forward(pixels, self.activation)
    }

    /// The feature of every token of every text, `[texts, longest, embed_dim]`; see
    /// [`TextTransformer::forward`]. `None` when the model was exported without its text tower.
    pub fn token_features(&self, texts: &[&[u32]], device: &Device) -> Option<Tensor<3>> {
        Some(self.text.as_ref()?.forward(texts, self.activation, device))
    }

    /// Whether texts can be encoded.
    pub fn has_text_tower(&self) -> bool {
        self.text.is_some()
    }

    /// The learned logarithm; `logit_scale().exp()` multiplies similarities. `[1]`
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.val()
    }
}
