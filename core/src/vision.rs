//! CLIP's image tower: a vision transformer whose class token is projected into the joint space.
//!
//! Reference: OpenAI CLIP, `model.py`, `VisionTransformer` (Radford et al. 2021, arXiv 2103.00020). A *token* here is a square
//! of `patch_size` × `patch_size` pixels, which the ViT paper calls a patch.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Device, Tensor, assert_shape};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, VisionConfig};
use crate::transformer::{Attention, Transformer, layer_norm, project};

/// The prefix of the names of the blocks' parameters.
pub(crate) const VISION_BLOCKS: &str = "visual.transformer";

/// The image tower: from pixels to image features.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    pub(crate) stem: VisionStem,
    pub(crate) transformer: Transformer,
    pub(crate) image_size: usize,
    pub(crate) patch_size: usize,
}

/// The layers before and after the blocks.
#[derive(Module, Debug)]
pub(crate) struct VisionStem {
    pub(crate) conv1: Param<Tensor<2>>,
    pub(crate) class_embedding: Param<Tensor<1>>,
    pub(crate) positional_embedding: Param<Tensor<2>>,
    pub(crate) ln_pre: LayerNorm,
    pub(crate) ln_post: LayerNorm,
    pub(crate) proj: Param<Tensor<2>>,
}

impl VisionTransformer {
    pub(crate) fn load(checkpoint: &mut Checkpoint, config: &VisionConfig, device: &Device) -> Self {
        Self {
            stem: VisionStem::load(checkpoint, device),
            transformer: Transformer::load(checkpoint, VISION_BLOCKS, config.layers, device),
            image_size: config.image_size,
            patch_size: config.patch_size,
        }
    }

    /// Image features (Eq. 1), not of unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, from [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn forward(&self, pixels: Tensor<4>, activation: Activation) -> Tensor<2> {
        assert_shape!(pixels, [_, 3, self.image_size, self.image_size]);
        self.forward_tokens(to_tokens(pixels, self.patch_size), activation)
    }

    /// As [`Self::forward`], for images that are split into tokens.
    ///
    /// # Shapes
    /// - `tokens`: `[batch, grid², 3 · patch_size²]`
    /// - returns: `[batch, embed_dim]`
    pub(crate) fn forward_tokens(&self, tokens: Tensor<3>, activation: Activation) -> Tensor<2> {
        let tokens = self.stem.embed(tokens);
        self.stem.finish(self.transformer.forward(tokens, Attention::Full, activation))
    }
}

impl VisionStem {
    pub(crate) fn load(checkpoint: &mut Checkpoint, device: &Device) -> Self {
        Self {
            conv1: checkpoint.parameter("visual.conv1.weight", device),
            class_embedding: checkpoint.parameter("visual.class_embedding", device),
            positional_embedding: checkpoint.parameter("visual.positional_embedding", device),
            ln_pre: layer_norm(checkpoint, "visual.ln_pre", device),
            ln_post: layer_norm(checkpoint, "visual.ln_post", device),
            proj: checkpoint.parameter("visual.proj", device),
        }
    }

    /// Embeds tokens, adds the class token, and normalises.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, grid², 3 · patch_size²]`
    /// - returns: `[batch, 1 + grid², width]`
    pub(crate) fn embed(&self, pixels: Tensor<3>) -> Tensor<3> {
        let [batch, tokens_each, pixels_each] = pixels.dims();
        // The stride of `conv1` is its kernel size, so it is a matrix product over flattened tokens.
        let tokens = project(pixels.reshape([batch * tokens_each, pixels_each]), self.conv1.val());
        let [_, width] = tokens.dims();
        let tokens = tokens.reshape([batch, tokens_each, width]);
        let class = self.class_embedding.val().reshape([1, 1, width]).expand([batch, 1, width]);
        let tokens = Tensor::cat(vec![class, tokens], 1); // [batch, 1 + grid², width]
        self.ln_pre.forward(tokens + self.positional_embedding.val().unsqueeze::<3>())
    }

    /// The feature of the class token.
    ///
    /// # Shapes
    /// - `tokens`: `[batch, 1 + grid², width]`
    /// - returns: `[batch, embed_dim]`
    pub(crate) fn finish(&self, tokens: Tensor<3>) -> Tensor<2> {
        let class = tokens.narrow(1, 0, 1).squeeze_dim::<2>(1); // [batch, width]
        project(self.ln_post.forward(class), self.proj.val())
    }
}

/// Splits images into square tokens of `patch_size` pixels a side, as [`crate::preprocess::Views::write_pixels`] does.
///
/// # Shapes
/// - `pixels`: `[batch, 3, height, width]`
/// - returns: `[batch, grid², 3 · patch_size²]`
pub(crate) fn to_tokens(pixels: Tensor<4>, patch_size: usize) -> Tensor<3> {
    let [batch, channels, height, width] = pixels.dims();
    let (rows, columns) = (height / patch_size, width / patch_size);
    pixels
        .reshape([batch, channels, rows, patch_size, columns, patch_size])
        .permute([0, 2, 4, 1, 3, 5]) // [batch, rows, columns, channels, patch_size, patch_size]
        .reshape([batch, rows * columns, channels * patch_size * patch_size])
}
